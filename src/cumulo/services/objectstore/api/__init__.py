"""Swift's API v1."""

from cumulo.services.objectstore.api import accounts, containers, discovery, objects
from cumulo.services.objectstore.api.answers import FAMILY as FAMILY
from cumulo.services.objectstore.api.answers import new_trans_id as new_trans_id
from cumulo.services.objectstore.api.quick import quick_reads as quick_reads

OPERATIONS = [
    *discovery.routes.operations,
    *accounts.routes.operations,
    *containers.routes.operations,
    *objects.routes.operations,
]
