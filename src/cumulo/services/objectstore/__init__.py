"""Object storage: Swift's API, on rings and replicas.

`ring.py` says which devices hold what; `drivers/` is one device, a directory with object files
and listing databases; `cluster.py` makes one store of many devices; `reconcile.py` keeps the
replicas whole.  What the API offers on top is a module each.  Start reading at `objects.py`.
"""
