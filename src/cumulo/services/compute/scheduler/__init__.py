"""Where a server goes.

Placement says in SQL which hosts have room; filters say of each of those whether it will do, and
why not; weighers put the rest in order.  `schedule.py` makes the choice and the allocation in one
transaction, and a refusal names every host with the reason.
"""
