"""What other services, and the program itself, may have of block storage."""

from cumulo.services.volume.backends import report_backends as report_backends
from cumulo.services.volume.drivers.base import Connection as Connection
from cumulo.services.volume.settings import VolumeSettings as VolumeSettings
from cumulo.services.volume.tools import NoServers as NoServers
from cumulo.services.volume.tools import Servers as Servers
from cumulo.services.volume.tools import VolumeTools as VolumeTools
from cumulo.services.volume.volume_types import add_default_type as add_default_type
