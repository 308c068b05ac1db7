"""What other services, and the program itself, may have of compute."""

from cumulo.services.compute.flavors import add_default_flavors as add_default_flavors
from cumulo.services.compute.hypervisors import hypervisor_of as hypervisor_of
from cumulo.services.compute.reconcile import RECONCILERS as RECONCILERS
from cumulo.services.compute.settings import ComputeSettings as ComputeSettings
from cumulo.services.compute.tools import Nodes as Nodes
from cumulo.services.compute.tools import Tools as Tools
