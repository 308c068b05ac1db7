"""The dashboard: pages that a browser shows, made of the answers of the other services' APIs.

It has no way in of its own: every page asks the APIs with the token of whoever looks at it
(`cloud.py`), so that it can do what that person can do with any client, and no more.  Start
reading at `api/pages.py`, then `api/servers.py`.
"""
