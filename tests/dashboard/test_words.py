"""Every sentence of the pages is said in French, and no other is in the catalog."""

import ast
import re
from pathlib import Path

import cumulo.services.dashboard
from cumulo.services.dashboard import cells, words

HERE = Path(cumulo.services.dashboard.__file__).parent
# By which names and at which places sentences are handed over.
KEYWORDS = {
    "title",
    "label",
    "hint",
    "submit",
    "note",
    "empty",
    "group",
    "columns",
    "facts",
    "links",
    "none",
}
CALLS = {"Column": 1, "Button": 3, "Place": 1, "Part": 1, "Words": 1, "say": 1}
PAIRS = {"create", "back"}
SAID = {"note", "kind", "_QUOTAS", "_UNITS"}
TEMPLATE = re.compile(r"""(?:_|say)\(\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')""")
TABLE = re.compile(r"parts\.table\(\[([^\]]*)\]")


def constants(node: ast.AST) -> set[str]:
    """Return the sentences in a value: all its texts that are not addresses or names of fields."""
    found = {
        n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)
    }
    return {text for text in found if is_sentence(text)}


def is_sentence(text: str) -> bool:
    return bool(re.match(r"[A-Z\-({]", text)) or text in ("in", "out", "anybody", "user", "group")


def spoken(tree: ast.Module) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            found |= called(node)
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value in ("title", "note"):
                    found |= constants(value)
        elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in SAID:
            found |= constants(node.value)
        elif isinstance(node, ast.Tuple) and len(node.elts) >= 2:
            first = node.elts[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                found |= constants(first)
    return found


def called(node: ast.Call) -> set[str]:
    """Return the sentences among what a function is given."""
    found: set[str] = set()
    name = getattr(node.func, "attr", "") or getattr(node.func, "id", "")
    for argument in node.args[: CALLS.get(name, 0)]:
        found |= constants(argument)
    for keyword in node.keywords:
        if keyword.arg in KEYWORDS | PAIRS:
            found |= constants(keyword.value)
    if name == "each":
        found |= constants(node.args[-1])
    return found


def sentences() -> set[str]:
    found = {"Yes", "No"}
    for path in HERE.rglob("*.py"):
        found |= spoken(ast.parse(path.read_text()))
    for path in (HERE / "templates").glob("*.html"):
        text = path.read_text()
        found |= {one or other for one, other in TEMPLATE.findall(text)}
        found |= set(re.findall(r'"([^"]+)"', " ".join(TABLE.findall(text))))
    return {text for text in found if text not in NAMES}


NAMES = {"ACTIVE", "Content-Type", "OS-EXT-STS:task_state", "OS-FLV-EXT-DATA:ephemeral"}


def test_every_sentence_is_said_in_french() -> None:
    known = words.catalog("fr")
    missing = sorted(sentences() - known.keys())
    assert not missing, missing
    assert not sorted(known.keys() - sentences()), "nobody says these"


def test_what_is_put_in_stays_where_it_belongs() -> None:
    for english, french in words.catalog("fr").items():
        assert set(re.findall(r"\{\w+\}", english)) == set(re.findall(r"\{\w+\}", french)), english


def test_numbers_and_amounts() -> None:
    assert [cells.number(value) for value in (0.04, 1.25, 64.0, 1536.2)] == [
        "0",
        "1.2",
        "64",
        "1,536",
    ]
    assert cells.number(12345.0, "fr") == "12\u202f345"
    assert cells.number(2.5, "fr") == "2,5"
    assert cells.size(65536) == cells.Amount(64.0, "KiB")
    assert cells.memory(65536) == cells.Amount(64.0, "GiB")


def test_what_nobody_uses_may_be_down() -> None:
    assert cells.State("DOWN").tone == "bad"
    assert cells.State("DOWN", is_idle=True).tone == "still"


def test_the_language_that_a_browser_asks_for() -> None:
    assert words.language_of("", "fr-CH, fr;q=0.9, en;q=0.8", "en") == "fr"
    assert words.language_of("en", "fr", "fr") == "en"
    assert words.language_of("de", "de, nl" * 1000, "en") == "en"
