"""What is found wrong with a cloud."""

import msgspec


class Symptom(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong; whether it was put right, and if not, what to do about it."""

    what: str
    is_mended: bool = False
    remedy: str = ""


def told(what: str, *, is_mended: bool) -> Symptom:
    """Return what is wrong, and was put right or can be."""
    remedy = "" if is_mended else "`cumulo doctor` mends it."
    return Symptom(what=what, is_mended=is_mended, remedy=remedy)
