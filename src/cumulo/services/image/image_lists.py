"""Lists of images: what may be asked of them."""

from cumulo.services.image.store.image_list import OPERATORS as OPERATORS
from cumulo.services.image.store.image_list import Page as Page
from cumulo.services.image.store.image_list import Wanted as Wanted
