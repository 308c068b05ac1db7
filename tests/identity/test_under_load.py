"""Eight clients at once, while keys rotate, a password changes and a role is taken away.

No clock decides here: a request that began after a change was answered must know of it; one that
began before may be answered either way; whoever has nothing to do with it is never refused.
"""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from cumulo.services.identity import public
from tests.client import Client
from tests.identity.conftest import SETTINGS, Cloud, by_password, by_token, on_project

CLIENTS = 8
# Of these the first may have begun before the change, the second did not.
_STEP = 2
Ask = Callable[[], int]


class Crowd:
    """Clients that ask again and again until told to stop; what they saw wrong is kept."""

    def __init__(self) -> None:
        self._asked = threading.Condition()
        self._answered: Counter[str] = Counter()
        self._stop = threading.Event()
        self.wrong: list[str] = []

    def serve(
        self, name: str, ask: Ask, good: int, changed: threading.Event, then: set[int]
    ) -> None:
        """Ask; expect `good`, and of what begins after the change `then`."""
        while not self._stop.is_set():
            is_after = changed.is_set()
            status = ask()
            fits = status in (then if is_after else then | {good})
            if not fits:
                self.wrong.append(f"{name}: {status}, {'after' if is_after else 'before'}")
            with self._asked:
                self._answered[name] += 1
                self._asked.notify_all()

    def more(self, number: int) -> None:
        """Wait until every client was answered so many more times."""
        with self._asked:
            before = Counter(self._answered)

            def is_enough() -> bool:
                more = self._answered - before
                return len(more) == CLIENTS and min(more.values()) >= number

            assert self._asked.wait_for(is_enough, timeout=60)

    def stop(self) -> None:
        self._stop.set()


class Scene:
    """Ann keeps all; Bob's password changes; Carol loses her role; Dan's trust ends."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud, self.admin = cloud, cloud.login()
        self.project = cloud.project(self.admin, "demo")
        member = cloud.role(self.admin, "member")
        self.ids = {n: cloud.user(self.admin, n) for n in ("ann", "bob", "carol", "dan")}
        self.grants = {
            name: f"/v3/projects/{self.project}/users/{user}/roles/{member}"
            for name, user in self.ids.items()
        }
        for grant in self.grants.values():
            assert self.admin.put(grant).status == 204
        trust = {
            "trustor_user_id": self.ids["ann"],
            "trustee_user_id": self.ids["dan"],
            "project_id": self.project,
            "impersonation": False,
            "roles": [{"name": "member"}],
        }
        ann = cloud.login("ann", "pw", on_project(self.project))
        made = ann.post("/v3/OS-TRUST/trusts", {"trust": trust})
        self.trust = f"/v3/OS-TRUST/trusts/{made.json()['trust']['id']}"

    def logging_in(self, name: str, password: str = "pw") -> Ask:
        auth = by_password(name, password, on_project(self.project))
        return lambda: self.cloud.ask(auth).status

    def using(self, client: Client) -> Ask:
        return lambda: client.get(f"/v3/projects/{self.project}").status

    def rescoping(self, client: Client) -> Ask:
        return lambda: self.cloud.ask(by_token(client.token, on_project(self.project))).status


@pytest.fixture
def scene(cloud: Cloud) -> Scene:
    return Scene(cloud)


def test_nothing_fails_or_passes_that_should_not(scene: Scene) -> None:
    cloud, crowd = scene.cloud, Crowd()
    on_demo = on_project(scene.project)
    ann, bob = cloud.login("ann", "pw", on_demo), cloud.login("bob", "pw", on_demo)
    carol = cloud.login("carol", "pw", on_demo)
    dan = cloud.login("dan", "pw", {"OS-TRUST:trust": {"id": scene.trust.rpartition("/")[2]}})
    never, password, role, trust = (threading.Event() for _ in range(4))
    clients: list[tuple[str, Ask, int, threading.Event, set[int]]] = [
        ("ann's token", scene.using(ann), 200, never, {200}),
        ("ann's password", scene.logging_in("ann"), 201, never, {201}),
        ("bob's token", scene.using(bob), 200, password, {401}),
        ("bob's old password", scene.logging_in("bob"), 201, password, {401}),
        ("bob's new password", scene.logging_in("bob", "new"), 401, password, {201}),
        ("carol's token", scene.using(carol), 200, role, {401}),
        # 401 when the role goes between the look at the token and the look at the roles.
        ("carol's next token", scene.rescoping(carol), 201, role, {404, 401}),
        ("dan's trust", scene.using(dan), 200, trust, {401}),
    ]
    assert len(clients) == CLIENTS
    with ThreadPoolExecutor(CLIENTS) as pool:
        threads = [pool.submit(crowd.serve, *client) for client in clients]
        try:
            _change(scene, crowd, password, role, trust)
        finally:
            crowd.stop()
        for thread in threads:
            thread.result()
    assert crowd.wrong == []


def _change(
    scene: Scene,
    crowd: Crowd,
    password: threading.Event,
    role: threading.Event,
    trust: threading.Event,
) -> None:
    """Change one thing after the other, each while requests are under way."""
    admin = scene.admin

    def rotated() -> None:
        crowd.more(_STEP)
        public.rotate(scene.cloud.db, SETTINGS)

    rotated()
    bob = f"/v3/users/{scene.ids['bob']}/password"
    body = {"user": {"original_password": "pw", "password": "new"}}
    assert Client(scene.cloud.edge, None).post(bob, body).status == 204
    password.set()
    rotated()
    assert admin.delete(scene.grants["carol"]).status == 204
    role.set()
    rotated()
    assert admin.delete(scene.trust).status == 204
    trust.set()
    crowd.more(_STEP)
