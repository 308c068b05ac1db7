"""English and French: pages are written in English, and a catalog says each sentence in French."""

import functools
from collections.abc import Callable, Mapping
from importlib.resources import files

import msgspec

LANGUAGES = {"en": "English", "fr": "Français"}
Translate = Callable[[str], str]


def language_of(chosen: str, accepted: str, default: str) -> str:
    """Return the language that was chosen, or the first that the browser asks for and we speak."""
    if chosen in LANGUAGES:
        return chosen
    for part in accepted[:200].split(","):
        code = part.partition(";")[0].strip().lower()[:2]
        if code in LANGUAGES:
            return code
    return default


@functools.cache
def catalog(language: str) -> Mapping[str, str]:
    """Return what each sentence is in a language."""
    if language == "en":
        return {}
    text = files("cumulo.services.dashboard").joinpath(f"translations/{language}.json").read_text()
    return msgspec.json.decode(text, type=dict[str, str])


def translator(language: str) -> Translate:
    """Return what says a sentence in a language; what the catalog lacks stays English."""
    known = catalog(language)
    return lambda text: known.get(text, text)
