"""Photos, documents and label files, in a local folder or in S3 (`media_store.s3`). Knows no Flask and no database."""

from media_store.local import LocalStore
from media_store.store import BeyondTheEnd, InvalidKey, MediaNotFound, MediaStore, StoreUnavailable

__all__ = ["BeyondTheEnd", "InvalidKey", "LocalStore", "MediaNotFound", "MediaStore", "StoreUnavailable"]
