"""What other services, and the program itself, may have of compute."""

from cumulo.services.compute import reconcile, reconcile_guests
from cumulo.services.compute.flavors import add_first_flavor as add_first_flavor
from cumulo.services.compute.guest_metadata import metadata_of as metadata_of
from cumulo.services.compute.guest_metadata import set_password as set_password
from cumulo.services.compute.hypervisors import hypervisor_of as hypervisor_of
from cumulo.services.compute.settings import ComputeSettings as ComputeSettings
from cumulo.services.compute.tools import Tools as Tools
from cumulo.services.compute.workflows.change_power import CHANGE_POWER
from cumulo.services.compute.workflows.create_server import CREATE_SERVER
from cumulo.services.compute.workflows.delete_server import DELETE_SERVER

RECONCILERS = [*reconcile.RECONCILERS, *reconcile_guests.RECONCILERS]
WORKFLOWS = [CREATE_SERVER, DELETE_SERVER, CHANGE_POWER]
