"""What compute keeps in order: who is there, and what they have."""

from concurrent.futures import ThreadPoolExecutor

from cumulo.kit import log
from cumulo.kit.errors import CloudError
from cumulo.node.api import HostFacts
from cumulo.services.compute import consoles, hypervisors, symptoms
from cumulo.services.compute.scheduler import schedule
from cumulo.services.compute.services import CONDUCTOR, SCHEDULER
from cumulo.services.compute.store import services as service_rows
from cumulo.services.compute.tools import Tools
from cumulo.work import Reconciler

LOG = log.get("compute")
_AT_ONCE = 16  # so that hosts that time out do not make others look dead


def update_hosts(tools: Tools) -> None:
    """Ask every host what it is and has; one that does not answer is heard of no more."""
    for binary in (CONDUCTOR, SCHEDULER):
        tools.db.write(service_rows.service_seen, tools.host, binary)
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="facts") as pool:
        for facts in pool.map(lambda name: _facts(tools, name), tools.nodes.names()):
            if facts is not None:
                tools.db.write(hypervisors.report, facts, tools.settings)


def _facts(tools: Tools, name: str) -> HostFacts | None:
    try:
        return tools.nodes.on(name).facts()
    except CloudError as error:
        LOG.warning("host does not answer", host=name, error=error.message)
        return None


def forget_tokens(tools: Tools) -> None:
    """Forget tokens of consoles that have expired."""
    tools.db.write(consoles.forget_expired)


FORGET_TOKENS = Reconciler(forget_tokens, every_s=600, name="compute.forget_tokens")


def forget_decisions(tools: Tools) -> None:
    """Forget what the scheduler decided long ago, a little in each transaction."""
    while tools.db.write(schedule.forget_decisions):
        pass


def mend(tools: Tools) -> None:
    """Put right what operators would otherwise have to put right by hand."""
    if not tools.db.read(symptoms.symptoms, mend=False):
        return
    for found in tools.db.write(symptoms.symptoms, mend=True):
        LOG.warning("symptom", what=found.what, mended=found.is_mended, remedy=found.remedy)


MEND = Reconciler(mend, every_s=600, name="compute.mend")
FORGET_DECISIONS = Reconciler(forget_decisions, every_s=3600, name="compute.forget_decisions")
UPDATE_HOSTS = Reconciler(update_hosts, every_s=10, name="compute.update_hosts")
RECONCILERS = [UPDATE_HOSTS, FORGET_TOKENS, FORGET_DECISIONS, MEND]
