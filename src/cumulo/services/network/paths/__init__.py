"""The way of a packet, explained: where it goes, where it stops and why.

Start in `walk.py`, which follows a packet through what the database says should be: port
security, security groups, routes, routers, translations, DHCP, metadata.  `land.py` reads what is
on the way, `admission.py` says what rules admit, `sight.py` leaves out what is not the caller's.
"""
