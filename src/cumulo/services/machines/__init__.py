"""The machines that joined the cloud: who may, who did, and how they are reached.

Start with `machines.py` for tokens and members, `nodes.py` for how commands reach a member,
`desk.py` for what members may ask.  Who vouches for whom is in `cumulo.node.certificates`.
"""
