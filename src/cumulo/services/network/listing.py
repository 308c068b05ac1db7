"""What part of a list is wanted, and in which order."""

from cumulo.services.network.store.listing import Listing as Listing
