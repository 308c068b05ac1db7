"""Work that outlives a request: durable workflows, reconcilers, the event log."""

from cumulo.work.reconciler import Reconciler as Reconciler
from cumulo.work.reconciler import Scheduler as Scheduler
from cumulo.work.runner import Worker as Worker
from cumulo.work.runner import start as start
from cumulo.work.runner import wake as wake
from cumulo.work.runs import CANCELLED as CANCELLED
from cumulo.work.runs import runs_under_way as runs_under_way
from cumulo.work.workflow import Caller as Caller
from cumulo.work.workflow import Failure as Failure
from cumulo.work.workflow import Run as Run
from cumulo.work.workflow import Step as Step
from cumulo.work.workflow import Workflow as Workflow
from cumulo.work.workflow import Write as Write
