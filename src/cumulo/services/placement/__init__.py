"""What there is to allocate and who has it, as the Placement API shows it.

A resource provider has an inventory of each resource class it offers; a consumer (a server)
holds allocations against it.  How much of an inventory is used is a column of the inventory,
changed in the transaction that changes the allocations and only while there is room, so that
no two claims can both get the last of it.  Start reading at `allocations.py`.
"""
