"""Networking, as the Neutron API v2.0 shows it.

Start with `networks.py`, then `ports.py` and `addresses.py`: the nouns, each with what a client
says of it (its Spec and Change, in the API's own names), what may be done and what follows.
`api/` puts them on HTTP, `store/` keeps them, `public.py` is what other services may call.

Nothing here waits for the backend.  A write marks what the backend must be told (`store/changes`)
in its own transaction; `projection.py` reads the plans of marked units (`loading.py`, `plans.py`)
and hands them to a driver (`drivers/base.py`); `reconcile.py` says when.
"""
