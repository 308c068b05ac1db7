"""What runs on a host, and the only part of Cumulo that needs root there.

Read `api.py` first: the commands a host understands.  `drivers/` carries them out, `server.py`
and `client.py` bring them to another process or machine, `supervise.py` keeps the daemons that
Cumulo started alive.
"""
