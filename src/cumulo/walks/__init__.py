"""Walks through a cloud with the clients that people use, each step checked and timed.

`cumulo demo` shows them and the tests run them; the cloud may be Cumulo or any OpenStack.
"""
