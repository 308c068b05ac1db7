"""OpenStack's own test suite, Tempest, against an emulated cloud.

`python -m tests.conformance smoke` (or `compute`, or any regular expression) starts a cloud, fills
in `tempest.conf`, runs the tests and compares them with `known_failures.tsv`, which may only
shrink.  Tempest lives in an environment of its own: `make conformance` makes one.
"""
