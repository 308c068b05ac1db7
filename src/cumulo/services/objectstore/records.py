"""What is kept of accounts, containers and objects, as the domain hands it on."""

from cumulo.services.objectstore.drivers.base import Asked as Asked
from cumulo.services.objectstore.drivers.base import Head as Head
from cumulo.services.objectstore.drivers.base import Row as Row
from cumulo.services.objectstore.drivers.base import Stored as Stored
