"""What other services and operators' commands may do with object storage.

Services keep what they hold in a `ProjectContainer`; commands change the rings of this machine.
"""

from cumulo.services.objectstore.assembly import assembled as assembled
from cumulo.services.objectstore.cluster import Cluster as Cluster
from cumulo.services.objectstore.project_containers import IncomingObject as IncomingObject
from cumulo.services.objectstore.project_containers import Listed as Listed
from cumulo.services.objectstore.project_containers import OpenedObject as OpenedObject
from cumulo.services.objectstore.project_containers import ProjectContainer as ProjectContainer
from cumulo.services.objectstore.recon import served as served
from cumulo.services.objectstore.ring import Builder as Builder
from cumulo.services.objectstore.ring import RingDevice as RingDevice
from cumulo.services.objectstore.ring_files import add as add
from cumulo.services.objectstore.ring_files import builder as builder
from cumulo.services.objectstore.ring_files import create as create
from cumulo.services.objectstore.ring_files import devices as devices
from cumulo.services.objectstore.ring_files import holdings as holdings
from cumulo.services.objectstore.ring_files import prepare as prepare
from cumulo.services.objectstore.ring_files import rebalance as rebalance
from cumulo.services.objectstore.ring_files import remove as remove
from cumulo.services.objectstore.ring_files import set_weight as set_weight
from cumulo.services.objectstore.ring_files import write_for_swift as write_for_swift
from cumulo.services.objectstore.settings import LocalUser as LocalUser
from cumulo.services.objectstore.sharding import cut as cut
from cumulo.services.objectstore.sharding import find_shards as find_shards
from cumulo.services.objectstore.sharding import is_container as is_container
from cumulo.services.objectstore.sharding import ranges_of as ranges_of
from cumulo.services.objectstore.tools import Tools as Tools
