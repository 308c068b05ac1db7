"""S3's API, for requests that are signed as S3's are."""

from cumulo.services.objectstore.api.s3 import buckets, objects
from cumulo.services.objectstore.api.s3.answers import FAMILY as FAMILY
from cumulo.services.objectstore.signing import is_s3 as is_s3

OPERATIONS = [*buckets.routes.operations, *objects.routes.operations]
