"""Photos, documents and label files, in a local folder or in S3 (`media_store.s3`). Knows no Flask and no database."""

from media_store.bounded import BoundedStore
from media_store.local import LocalStore
from media_store.store import BeyondTheEnd, InvalidKey, MediaNotFound, MediaStore, StoreRefused, StoreUnavailable

__all__ = [
    "BeyondTheEnd",
    "BoundedStore",
    "InvalidKey",
    "LocalStore",
    "MediaNotFound",
    "MediaStore",
    "StoreRefused",
    "StoreUnavailable",
]
