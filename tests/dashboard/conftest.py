"""Clouds in this process, with the first users in them, and browsers that look at them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cumulo.services.compute.reconcile import update_hosts
from cumulo.services.identity import public as identity
from cumulo.services.volume.backends import report_backends
from cumulo.settings import Settings
from tests.cloud import Emulated
from tests.dashboard import things
from tests.dashboard.browser import Browser
from tests.dashboard.things import People


class Sight:
    """A cloud, and ways to look at it."""

    def __init__(self, state: Path, usual: Settings = Settings()) -> None:  # noqa: B008 - frozen
        quick = msgspec.structs.replace(usual.identity, password_hash_rounds=4)
        self.emulated = Emulated(
            state, hosts=2, settings=msgspec.structs.replace(usual, identity=quick)
        )
        cloud = self.emulated.cloud
        first = identity.Bootstrap(
            admin_password="admin-secret",
            demo_password="demo-secret",
            services=[identity.ServiceSpec(*spec) for spec in _catalog(cloud.settings)],
            region=cloud.settings.region,
        )
        identity.bootstrap(self.emulated.db, cloud.identity, first)
        self.people = People(cloud)

    def report(self) -> None:
        """Let the hosts say that they live."""
        cloud = self.emulated.cloud
        update_hosts(cloud.compute)
        report_backends(cloud.volume)

    def browser(self, language: str = "en") -> Browser:
        cloud = self.emulated.cloud
        api = next(api for api in cloud.apis if api.name == "dashboard")
        return Browser(cloud.gate(api), language)

    def admin(self, language: str = "en") -> Browser:
        browser = self.browser(language)
        assert browser.sign_in().status == 200
        return browser

    def demo(self, language: str = "en") -> Browser:
        browser = self.browser(language)
        assert browser.sign_in("demo", "demo-secret").status == 200
        return browser


def _catalog(settings: Settings) -> list[tuple[str, str, str, str]]:
    from cumulo.app import catalog

    return catalog(settings)


@pytest.fixture(scope="session")
def sight(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sight]:
    """A cloud to look at, for all tests: what one makes, others find there."""
    made = Sight(tmp_path_factory.mktemp("dashboard"))
    yield made
    made.emulated.close()


@pytest.fixture(autouse=True)
def reporting(request: pytest.FixtureRequest) -> None:
    """Let the hosts report before each test, or they count as down after a minute."""
    if "sight" in request.fixturenames:
        request.getfixturevalue("sight").report()


@pytest.fixture(scope="session")
def parts(sight: Sight) -> dict[str, Any]:
    """What a server is made of, all of the first administrator's project."""
    admin = sight.people.as_("admin")
    return {
        "image": things.image(admin),
        "flavor": things.flavor(admin),
        "network": things.network(admin),
    }


@pytest.fixture
def new_sight(tmp_path: Path) -> Iterator[Callable[[], Sight]]:
    """A cloud of a test's own."""
    made: list[Sight] = []

    def make() -> Sight:
        made.append(Sight(tmp_path))
        return made[-1]

    yield make
    for each in made:
        each.emulated.close()
