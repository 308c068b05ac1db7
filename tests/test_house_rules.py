"""What reviewers would otherwise have to say again and again.

If you are here because one of these failed: the assertion says what to do.  The exceptions
below may only shrink; one that is no longer needed fails too.
"""

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCE = sorted((ROOT / "src").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
EVERYTHING = [*SOURCE, *TESTS, *(ROOT / "tools").rglob("*.py"), *(ROOT / "bench").rglob("*.py")]
HISTORY = "src/cumulo/db/migrations/versions/"  # written by tools/make_migration.py

MAY_SLEEP = {"tests/waiting.py"}  # waits for a state, with a bound; may only shrink

LINES_OF_A_FILE = 500
LINES_OF_A_FUNCTION = 40
SAY_NOTHING = {"utils", "util", "common", "helpers", "helper", "manager", "misc", "base", "core"}
SAY_NOTHING_OF_A_CLASS = ("Manager", "Helper", "Util", "Utils", "Mixin", "Impl", "Base")
# Modules of a service that are not its domain.
NOT_DOMAIN = {"api", "workflows", "reconcile", "store", "drivers", "public", "policy", "versions"}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@dataclass
class Facts:
    """What the rules ask of a file; its syntax tree would be a thousand times as large."""

    says_what_it_is: bool
    imports: set[str] = field(default_factory=set)
    classes: list[str] = field(default_factory=list)
    functions: list[tuple[str, int, int]] = field(default_factory=list)  # name, first line, lines
    sleeps: bool = False


@functools.cache
def facts(path: Path) -> Facts:
    text = path.read_text()
    tree = ast.parse(text)
    found = Facts(says_what_it_is=bool(ast.get_docstring(tree)))
    if ".sleep" in text:
        found.sleeps = any(
            isinstance(n, ast.Attribute) and n.attr == "sleep" for n in ast.walk(tree)
        )
    for node in statements(tree):
        if isinstance(node, ast.Import):
            found.imports |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.imports |= {node.module, *(f"{node.module}.{one.name}" for one in node.names)}
        elif isinstance(node, ast.ClassDef):
            found.classes.append(node.name)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            found.functions.append((node.name, node.lineno, lines))
    return found


def statements(block: ast.AST) -> Iterator[ast.AST]:
    """Yield the statements in a block and in the blocks in it; expressions hold none."""
    for name in ("body", "orelse", "finalbody", "handlers", "cases"):
        for one in getattr(block, name, ()):
            yield one
            yield from statements(one)


def written_by_hand(paths: list[Path]) -> list[Path]:
    return [path for path in paths if not name_of(path).startswith(HISTORY)]


def imported_by(path: Path) -> set[str]:
    return facts(path).imports


def any_of(package: str, path: Path) -> bool:
    return any(name == package or name.startswith(f"{package}.") for name in imported_by(path))


def domain() -> Iterator[tuple[str, Path]]:
    """Yield each service's name with each file of its domain."""
    for service in sorted((ROOT / "src/cumulo/services").iterdir()):
        for path in sorted(service.glob("*.py")):
            if path.stem not in NOT_DOMAIN | {"__init__"}:
                yield service.name, path


def test_files_fit_in_one_reading() -> None:
    lines = {name_of(path): path.read_text().count("\n") for path in written_by_hand(EVERYTHING)}
    long = {name: count for name, count in lines.items() if count > LINES_OF_A_FILE}
    assert not long, f"split these by noun, to {LINES_OF_A_FILE} lines: {long}"


def test_functions_fit_on_one_screen() -> None:
    long = [
        f"{name_of(path)}:{first} {name} ({lines} lines)"
        for path in written_by_hand(SOURCE)
        for name, first, lines in facts(path).functions
        if lines > LINES_OF_A_FUNCTION
    ]
    assert not long, f"give the parts of these a name of their own: {long}"


def test_modules_are_named_by_what_they_hold() -> None:
    vague = [
        name_of(path)
        for path in [*EVERYTHING]
        if path.stem in SAY_NOTHING and path.parts[-2:] != ("drivers", "base.py")
    ]
    assert not vague, f"name these by their noun: {vague}"


def test_classes_are_named_by_what_they_are() -> None:
    vague = [
        f"{name_of(path)}: {name}"
        for path in SOURCE
        for name in facts(path).classes
        if name.endswith(SAY_NOTHING_OF_A_CLASS)
    ]
    assert not vague, f"name these by their noun: {vague}"


def test_every_package_says_what_it_is() -> None:
    silent = [name_of(path) for path in SOURCE if not facts(path).says_what_it_is]
    assert not silent, f"open these with one to three sentences: {silent}"


def test_the_domain_is_below_operations_and_workflows() -> None:
    up = [
        f"{name_of(path)} imports {name}"
        for service, path in domain()
        for name in imported_by(path)
        for above in ("api", "public", "workflows", "reconcile")
        if name.startswith(f"cumulo.services.{service}.{above}")
    ]
    assert not up, f"hand the result up instead of calling up: {up}"


def test_only_operations_know_http_and_versions() -> None:
    below = [
        path
        for path in (ROOT / "src/cumulo/services").rglob("*.py")
        if "api" not in path.parts and path.name != "versions.py"
    ]
    knowing = [name_of(path) for path in below if any_of("cumulo.web", path)]
    versioned = [
        name_of(path)
        for path in [*below, *(ROOT / "src/cumulo/work").rglob("*.py")]
        if "microversion" in path.read_text().lower()
    ]
    assert not knowing, f"HTTP ends in api/: {knowing}"
    assert not versioned, f"inside, only the newest exists; versions end in api/: {versioned}"


def test_tests_drive_the_clock_instead_of_sleeping() -> None:
    sleeping = {
        name_of(path) for path in TESTS if imported_by(path) & {"time.sleep"} or facts(path).sleeps
    }
    assert sleeping == MAY_SLEEP, "hold the clock, tick the reconciler or use tests.waiting"


def test_tests_do_not_replace_our_own_code() -> None:
    mocking = [name_of(path) for path in TESTS if "unittest.mock" in imported_by(path)]
    assert not mocking, f"fakes belong at drivers, clock and network only: {mocking}"
