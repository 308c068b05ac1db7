"""Object storage: Swift's API, on rings, replicas and erasure codes.

`ring.py` says which devices hold what; `drivers/` is one device, a directory with object files
and listing databases; `cluster.py` makes one store of many devices, where an object lies whole
(`replicas.py`) or coded (`fragments.py`); `reconcile.py` keeps all that whole.  What the API
offers on top is a module each.  Start reading at `objects.py`.
"""
