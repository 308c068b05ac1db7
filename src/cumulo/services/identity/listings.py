"""What may be seen of a collection at once; for the operations, which do not know the store."""

from cumulo.services.identity.store.listing import Compared as Compared
from cumulo.services.identity.store.listing import Listing as Listing
from cumulo.services.identity.store.listing import Match as Match
from cumulo.services.identity.store.listing import Page as Page
