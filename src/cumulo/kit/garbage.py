"""Memory that a process which serves no longer needs: when it is looked for and given back."""

import ctypes
import gc
import threading
import time

_TIDY_S = 5.0  # between looks at what was made last


def settle() -> None:
    """Look for cyclic garbage less often, and not in what a process has once it has started.

    A page of a thousand resources is a hundred thousand objects; looking through all others at
    every 700 of them took up to twice as long as making the page.  What was made last is looked
    through every few seconds besides: a cloud with little to do would hold 30 MiB of statements.
    Then what large bodies and lists were held in goes back to the system.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    threading.Thread(target=_tidy, name="garbage", daemon=True).start()


def _tidy() -> None:
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # other libraries than glibc have none
    while True:
        time.sleep(_TIDY_S)
        gc.collect(0)
        if trim is not None:
            trim(0)
