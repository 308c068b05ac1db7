"""The jobs of keystone-manage, and `cumulo policy`: on a database of a cloud that does not run."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import yaml
from click.testing import CliRunner

from cumulo.app import policies
from cumulo.cli import cumulo
from cumulo.cli.state import Passwords, State
from cumulo.db import Database
from cumulo.services.identity import public

QUICK = "[identity]\npassword_hash_rounds = 4\n"


def run(state: Path, *words: str, fails: bool = False) -> str:
    place = ["--state", str(state)]
    done = CliRunner().invoke(cumulo, [*words, *place], catch_exceptions=True)
    assert (done.exit_code != 0) == fails, done.output + repr(done.exception)
    return done.output


@pytest.fixture(scope="module")
def state() -> Iterator[Path]:
    """A cloud that was bootstrapped, and nothing more."""
    with tempfile.TemporaryDirectory(prefix="cumulo-") as short:
        (Path(short) / "cumulo.toml").write_text(QUICK)
        run(Path(short), "bootstrap", "--bootstrap-password", "first")
        yield Path(short)


@pytest.fixture
def empty() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="cumulo-") as short:
        yield Path(short)


def login(state: Path, password: str) -> bool:
    db = Database(f"sqlite:///{state}/control/cumulo.db")
    tools = public.new_tools(db, public.IdentitySettings(password_hash_rounds=4))
    user = db.read(public.user_named, "admin", "default")
    right = user is not None and tools.passwords.is_right(user.id, user.password_hash, password)
    db.close()
    return right


def test_bootstrap_gives_the_admin_a_password_that_the_cloud_knows(state: Path) -> None:
    assert login(state, "first")
    run(state, "bootstrap", "--bootstrap-password", "second")
    assert login(state, "second")
    assert not login(state, "first")
    kept = msgspec.json.decode((state / "control/passwords.json").read_bytes(), type=Passwords)
    assert kept.admin == "second"
    run(state, "bootstrap")
    assert login(state, "second")
    assert State(state).passwords().admin == "second"


def test_keys_rotate_and_are_listed_without_their_secret(state: Path) -> None:
    before = run(state, "keys", "list")
    assert before.count("primary") == 3
    run(state, "keys", "rotate")
    run(state, "keys", "rotate", "credentials")
    after = run(state, "keys", "list")
    assert after.count("primary") == 3
    assert "token           2 primary" in after
    assert "credential      2 primary" in after
    assert "=" not in after


def test_the_doctor_says_what_is_wrong(state: Path) -> None:
    told = run(state, "doctor", fails=True)
    assert told.splitlines()[-1] == "1 to look at."
    assert "password_hash_rounds is 4" in told
    policy = state / "control/policy"
    policy.mkdir(exist_ok=True)
    (policy / "image.yaml").write_text('"no_such": "role:x"\n')
    assert "has a rule no_such, which nothing asks for" in run(state, "doctor", fails=True)
    (policy / "image.yaml").unlink()


def test_without_a_cloud_there_is_nothing_to_look_at(empty: Path) -> None:
    done = CliRunner().invoke(cumulo, ["doctor", "--state", str(empty)])
    assert "There is no cloud" in str(done.exception)


def test_the_database_is_made_by_itself(empty: Path) -> None:
    run(empty, "db", "sync")
    assert (empty / "control/cumulo.db").exists()
    assert "primary keys for token: run `cumulo bootstrap`" in run(empty, "doctor", fails=True)


def test_rules_are_listed_and_sampled(state: Path) -> None:
    assert "identity   identity:get_region: (anyone)" in run(state, "policy", "list", "identity")
    for service in policies(state):
        assert run(state, "policy", "sample", service).startswith("#")
    text = run(state, "policy", "sample", "identity")
    assert "# POST /v3/users\n" in text
    assert yaml.safe_load(text) is None
    active = yaml.safe_load(
        "\n".join(line.removeprefix("#") for line in text.splitlines() if '"' in line)
    )
    assert active["identity:create_region"] == "rule:admin_required"


def test_a_refusal_is_explained_by_its_parts(state: Path) -> None:
    asked = ("policy", "explain", "identity:create_user", "--role", "manager", "--domain", "d1")
    told = run(state, *asked, "--target", "target.user.domain_id=d2")
    assert told.splitlines()[-1] == "refused"
    assert "yes role:manager (has manager, member, reader)" in told
    wanted = "token.domain.id is d1; the target's target.user.domain_id is d2"
    assert wanted in told
    told = run(state, *asked, "--target", "target.user.domain_id=d1")
    assert told.splitlines()[-1] == "permitted"


def test_a_user_is_explained_with_the_roles_it_has(state: Path) -> None:
    rule = "identity:create_region"
    told = run(state, "policy", "explain", rule, "--user", "admin", "--project", "admin")
    assert told.splitlines()[-1] == "permitted"
    told = run(state, "policy", "explain", rule, "--user", "demo", "--project", "demo")
    assert told.splitlines()[-1] == "refused"
    assert "no  role:admin (has member, reader)" in told
    told = run(state, "policy", "explain", rule, "--user", "admin", "--domain", "default")
    assert "no  scope is none or project or system (the token's is domain)" in told
    done = CliRunner().invoke(cumulo, ["policy", "explain", "no:such", "--role", "admin"])
    assert done.exit_code
