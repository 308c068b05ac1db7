"""Doorbells between threads and processes; losing a ring costs latency, never truth."""

from cumulo.bus.doorbell import Doorbell as Doorbell
from cumulo.bus.doorbell import Ear as Ear
from cumulo.bus.doorbell import LocalDoorbell as LocalDoorbell
