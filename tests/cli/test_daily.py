"""The commands of daily work, against APIs that this process serves."""

import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from cumulo import cli
from cumulo.cli import cumulo
from cumulo.cli.daily.output import printable, table
from cumulo.kit.errors import CloudError, Conflict, Invalid, NotFound, Unavailable
from cumulo.settings import Settings
from cumulo.web.server import HttpServer
from tests.dashboard import things
from tests.dashboard.conftest import Sight
from tests.ports import every_port

SERVED = ("identity", "compute", "image", "network", "volume")
Run = Callable[..., str]


@pytest.fixture(scope="module")
def sight(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sight]:
    settings = msgspec.convert({"http": every_port()}, Settings)
    made = Sight(tmp_path_factory.mktemp("daily"), settings)
    cloud = made.emulated.cloud
    servers = [
        HttpServer(cloud.gate(api), "127.0.0.1", api.port, threads=2)
        for api in cloud.apis
        if api.name in SERVED
    ]
    for server in servers:
        server.start()
    yield made
    for server in servers:
        server.stop()
    made.emulated.close()


@pytest.fixture
def home(sight: Sight, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of somebody who has a clouds.yaml."""
    for name in [name for name in os.environ if name.startswith("OS_")]:
        monkeypatch.delenv(name)
    url = sight.emulated.cloud.dashboard.auth_url
    auth = {"auth_url": url, "username": "admin", "password": "admin-secret"}
    auth |= {"project_name": "admin", "user_domain_name": "Default"}
    wrong = {**auth, "password": "wrong"}
    clouds = {"clouds": {"mine": {"auth": auth}, "wrong": {"auth": wrong}}}
    (tmp_path / "clouds.yaml").write_text(json.dumps(clouds))  # which is YAML, too
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("OS_CLOUD", "mine")
    return tmp_path


@pytest.fixture
def run(home: Path) -> Run:
    def run(*words: str) -> str:
        done = CliRunner().invoke(cumulo, words)
        if isinstance(done.exception, CloudError):
            raise done.exception
        assert done.exit_code == 0, done.output
        lines = done.output.splitlines(keepends=True)
        return "".join(line for line in lines if "request_id=" not in line)  # what the APIs log

    return run


def test_a_day(sight: Sight, run: Run, home: Path) -> None:
    (home / "image").write_bytes(things.QCOW2)
    assert "active" in run("image", "create", "small", "image")
    assert "10.3.0.0" not in run("network", "create", "lan", "--subnet", "10.3.0.0/24")
    things.flavor(sight.people.as_("admin"), "tiny")
    assert "tiny" in run("flavor", "list")
    (home / "key.pub").write_text(KEY)
    assert "mine" in run("keypair", "create", "mine", "key.pub")
    run("security-group", "create", "web")
    assert "443" in run("security-group", "allow", "web", "--port", "443", "--from", "10.0.0.0/8")
    wish = ("--image", "small", "--flavor", "tiny", "--network", "lan", "--key", "mine")
    run("server", "create", "www", *wish, "--security-group", "web")
    sight.emulated.work()
    listed = run("server", "list")
    assert "www" in listed
    assert "ACTIVE" in listed
    assert "10.3.0." in listed
    assert json.loads(run("server", "list", "-f", "json"))[0]["name"] == "www"
    assert "login" in run("server", "log", "www")
    run("server", "stop", "www")
    sight.emulated.work()
    assert "SHUTOFF" in run("server", "show", "www")
    run("server", "delete", "www")
    sight.emulated.work()
    assert "www" not in run("server", "list")
    for noun, name in (("network", "lan"), ("image", "small"), ("keypair", "mine")):
        run(noun, "delete", name)
        assert name not in run(noun, "list").splitlines()[-1]


KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl somebody\n"


def test_addresses_from_outside(sight: Sight, run: Run) -> None:
    admin = sight.people.as_("admin")
    things.network(admin, "outside", "203.0.113.0/24", **{"router:external": True})
    address = json.loads(run("floating-ip", "create", "outside", "-f", "json"))
    assert address["floating_ip_address"] in run("floating-ip", "list")
    run("floating-ip", "detach", address["floating_ip_address"])
    run("floating-ip", "delete", address["floating_ip_address"])


def test_what_is_wrong_is_told(sight: Sight, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotFound, match="no server nothing: see `cumulo server list`"):
        run("server", "show", "nothing")
    admin = sight.people.as_("admin")
    for _ in range(2):
        things.network(admin, "twice")
    with pytest.raises(Conflict, match="Several are called twice"):
        run("network", "show", "twice")
    with pytest.raises(NotFound, match="no cloud theirs; it has mine, wrong"):
        run("server", "list", "--cloud", "theirs")
    with pytest.raises(CloudError, match="requires authentication"):
        run("server", "list", "--cloud", "wrong")
    monkeypatch.delenv("OS_CLOUD")
    monkeypatch.setenv("OS_AUTH_URL", "http://127.0.0.1:1/v3")
    with pytest.raises(Unavailable, match="does not answer"):
        run("server", "list")
    monkeypatch.setenv("OS_AUTH_URL", "")
    with pytest.raises(Invalid, match="Which cloud"):
        run("server", "list")


def test_the_token_is_kept_for_its_owner_only_and_renewed_when_it_is_no_good(
    sight: Sight, run: Run, home: Path
) -> None:
    run("flavor", "list")
    [kept] = (home / "cache/cumulo/tokens").iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    assert "admin-secret" not in kept.read_text()
    login = json.loads(kept.read_text())
    kept.write_text(json.dumps({**login, "token": "gAAAAno"}))
    run("flavor", "list")
    assert json.loads(kept.read_text())["token"] not in ("gAAAAno", login["token"])
    kept.write_text("{")
    run("flavor", "list")


def test_names_are_completed(run: Run, sight: Sight, monkeypatch: pytest.MonkeyPatch) -> None:
    things.network(sight.people.as_("admin"), "longname")
    monkeypatch.setenv("COMP_WORDS", "cumulo network show long")
    monkeypatch.setenv("COMP_CWORD", "3")
    done = CliRunner().invoke(
        cumulo, [], env={"_CUMULO_COMPLETE": "bash_complete"}, prog_name="cumulo"
    )
    assert "longname" in done.output
    assert "_CUMULO_COMPLETE" in run("completion", "bash")


def test_refusals_do_not_steer_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse() -> None:
        raise Conflict("Several are called \x1b]0;x\x07.")

    monkeypatch.setattr(cli, "cumulo", refuse)
    with pytest.raises(SystemExit):
        cli.main()
    assert capsys.readouterr().err == "cumulo: Several are called \ufffd]0;x\ufffd.\n"


def test_what_things_are_called_does_not_steer_the_terminal() -> None:
    assert printable("a\x1b[2Jb\nc\x9b") == "a\ufffd[2Jb\ufffdc\ufffd"
    assert table(["Name"], [["\x1b]0;x\x07"]]).count("\x1b") == 0
