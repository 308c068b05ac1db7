"""Block storage, as Cinder offers it: volumes, snapshots, types, attachments and backups.

Start with `volumes.py` for what may be done with a volume, `workflows/create_volume.py` for how
one comes about, `drivers/base.py` for what a back end must offer.  A status changes by a
conditional UPDATE only, in the transaction that starts the work which the new status names.
"""
