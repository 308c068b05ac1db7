"""HTTP: operations, microversions, faults, paging, the WSGI edge.  No service names here."""

from cumulo.web.codec import LooseBool as LooseBool
from cumulo.web.codec import LooseInt as LooseInt
from cumulo.web.operation import Call as Call
from cumulo.web.operation import Operation as Operation
from cumulo.web.operation import Reply as Reply
from cumulo.web.operation import Routes as Routes
from cumulo.web.operation import Stream as Stream
from cumulo.web.upload import Upload as Upload
from cumulo.web.versions import History as History
from cumulo.web.versions import Version as Version
from cumulo.web.versions import since as since
from cumulo.web.versions import until as until
from cumulo.web.versions import without as without
