"""Write the skeleton of a new noun in each layer of a service, with a test that passes.

python -m tools.scaffold SERVICE NOUN        as in: python -m tools.scaffold compute server_tag
"""

import subprocess
import sys
from pathlib import Path
from string import Template

ROOT = Path(__file__).parent.parent
SKELETON = Path(__file__).parent / "skeleton"


def scaffold(root: Path, service: str, noun: str) -> list[Path]:
    """Write the files; nothing that exists is overwritten."""
    package = root / "src/cumulo/services" / service
    if not package.is_dir():
        raise FileNotFoundError(f"there is no service {service}; its package comes first")
    if not noun.isidentifier() or noun != noun.lower():
        raise ValueError(f"{noun} is not a noun in the singular, with underscores")
    words = _words(service, noun)
    files = {
        package / "store" / f"{noun}s.py": "store.txt",
        package / f"{noun}s.py": "domain.txt",
        package / "api" / f"{noun}s.py": "api.txt",
        root / "tests" / service / f"test_{noun}s.py": "test.txt",
    }
    taken = [path for path in files if path.exists()]
    if taken:
        raise FileExistsError(f"{taken[0]} exists; choose another noun or edit it")
    for path, skeleton in files.items():
        _ensure_package(path.parent)
        path.write_text(_filled(skeleton, words))
    _add_table(package / "store" / "tables.py", words)
    return [*files, package / "store" / "tables.py"]


def _words(service: str, noun: str) -> dict[str, str]:
    spoken = noun.replace("_", " ")
    camel = noun.title().replace("_", "")
    return {
        "service": service,
        "noun": noun,
        "nouns": f"{noun}s",
        "Noun": camel,
        "Nouns": f"{camel}s",
        "words": spoken,
        "Words": spoken.capitalize(),
        "path": f"{noun.replace('_', '-')}s",
    }


def _filled(skeleton: str, words: dict[str, str]) -> str:
    return Template((SKELETON / skeleton).read_text()).substitute(words)


def _ensure_package(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    front = folder / "__init__.py"
    if not front.exists():
        front.write_text(f'"""The {folder.name} of {folder.parent.name}."""\n')


def _add_table(tables: Path, words: dict[str, str]) -> None:
    if not tables.exists():
        tables.write_text(_filled("tables.txt", words))
    text = tables.read_text() + _filled("table.txt", words)
    for need in ("UtcDateTime", "text_key"):
        if need not in text.partition("sa.Table(")[0]:
            print(f"import {need} from cumulo.db.types in {tables}")
    tables.write_text(text)


def main() -> None:
    """Write the skeleton that the arguments ask for and say what is left to do."""
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    service, noun = sys.argv[1:]
    paths = scaffold(ROOT, service, noun)
    ruff = Path(sys.executable).with_name("ruff")
    subprocess.run([ruff, "format", "-q", *paths], check=True)
    print(*(f"wrote {path.relative_to(ROOT)}" for path in paths), sep="\n")
    print(
        f"""Now:
1. run: pytest tests/{service}/test_{noun}s.py
2. put the routes of api/{noun}s.py into OPERATIONS (api/__init__.py)
3. put the rules {service}:{noun}:* into RULES (policy.py), by OpenStack's names and defaults
4. make it what OpenStack has: fields, paths, statuses, versions
5. run: make migration"""
    )


if __name__ == "__main__":
    main()
