"""Identity, as the Keystone API v3 shows it.

Start with `tokens.py` (what a token is worth) and `validation.py` (how every request asks);
`store/generation.py` says why a change acts on tokens that are already out.
"""
