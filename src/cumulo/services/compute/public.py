"""What other services, and the program itself, may have of compute."""

from cumulo.services.compute import reconcile, reconcile_guests
from cumulo.services.compute.consoles import connect_console as connect_console
from cumulo.services.compute.flavors import add_first_flavor as add_first_flavor
from cumulo.services.compute.guest_metadata import metadata_of as metadata_of
from cumulo.services.compute.guest_metadata import set_password as set_password
from cumulo.services.compute.host_affairs import has_network as has_network
from cumulo.services.compute.host_affairs import uses_image as uses_image
from cumulo.services.compute.host_symptoms import host_symptoms as host_symptoms
from cumulo.services.compute.hypervisors import hypervisor_of as hypervisor_of
from cumulo.services.compute.hypervisors import list_hypervisors as list_hypervisors
from cumulo.services.compute.server_volumes import ServerVolumes as ServerVolumes
from cumulo.services.compute.servers import server_counts as server_counts
from cumulo.services.compute.services import remove_host as remove_host
from cumulo.services.compute.settings import ComputeSettings as ComputeSettings
from cumulo.services.compute.symptoms import symptoms as symptoms
from cumulo.services.compute.tools import Tools as Tools
from cumulo.services.compute.workflows.attach_volume import ATTACH_VOLUME, DETACH_VOLUME
from cumulo.services.compute.workflows.cache_images import CACHE_IMAGES
from cumulo.services.compute.workflows.change_power import CHANGE_POWER
from cumulo.services.compute.workflows.confirm_resize import CONFIRM_RESIZE
from cumulo.services.compute.workflows.create_server import CREATE_SERVER
from cumulo.services.compute.workflows.delete_server import DELETE_SERVER
from cumulo.services.compute.workflows.deletion import RECLAIM_SERVERS
from cumulo.services.compute.workflows.evacuate_server import EVACUATE_SERVER
from cumulo.services.compute.workflows.leave_host import LEAVE_HOST
from cumulo.services.compute.workflows.move_server import MOVE_SERVER
from cumulo.services.compute.workflows.offload_server import OFFLOAD_SERVER
from cumulo.services.compute.workflows.plug_interface import ATTACH_INTERFACE, DETACH_INTERFACE
from cumulo.services.compute.workflows.rebuild_server import REBUILD_SERVER
from cumulo.services.compute.workflows.rescue_server import RESCUE_SERVER, UNRESCUE_SERVER
from cumulo.services.compute.workflows.resize_server import RESIZE_SERVER
from cumulo.services.compute.workflows.revert_resize import REVERT_RESIZE
from cumulo.services.compute.workflows.shelve_server import SHELVE_SERVER
from cumulo.services.compute.workflows.snapshot_server import SNAPSHOT_SERVER
from cumulo.services.compute.workflows.snapshot_volumes import SNAPSHOT_VOLUMES
from cumulo.services.compute.workflows.steer_move import STEER_MOVE
from cumulo.services.compute.workflows.unshelve_server import UNSHELVE_SERVER

RECONCILERS = [*reconcile.RECONCILERS, *reconcile_guests.RECONCILERS, RECLAIM_SERVERS]
WORKFLOWS = [
    CACHE_IMAGES,
    CHANGE_POWER,
    CONFIRM_RESIZE,
    CREATE_SERVER,
    DELETE_SERVER,
    EVACUATE_SERVER,
    LEAVE_HOST,
    MOVE_SERVER,
    OFFLOAD_SERVER,
    ATTACH_INTERFACE,
    DETACH_INTERFACE,
    ATTACH_VOLUME,
    DETACH_VOLUME,
    REBUILD_SERVER,
    RESCUE_SERVER,
    UNRESCUE_SERVER,
    RESIZE_SERVER,
    REVERT_RESIZE,
    SHELVE_SERVER,
    SNAPSHOT_SERVER,
    SNAPSHOT_VOLUMES,
    STEER_MOVE,
    UNSHELVE_SERVER,
]
