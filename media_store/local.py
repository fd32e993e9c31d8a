"""Files in a local folder."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from pathlib import Path
from typing import BinaryIO, cast

from media_store.store import BeyondTheEnd, MediaNotFound, StoreUnavailable, checked_key


class LocalStore:
    """A `MediaStore` in a folder, which is made where it is missing."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, key: str, content: BinaryIO, content_type: str) -> None:
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
            try:
                with os.fdopen(descriptor, "wb") as file:
                    shutil.copyfileobj(content, file, 1 << 20)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(temporary, path)
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise StoreUnavailable(str(error)) from error

    def open(self, key: str) -> BinaryIO:
        try:
            return self._path(key).open("rb")
        except (FileNotFoundError, IsADirectoryError) as error:
            raise MediaNotFound(key) from error
        except OSError as error:
            raise StoreUnavailable(str(error)) from error

    def open_range(self, key: str, start: int, length: int) -> BinaryIO:
        file = self.open(key)
        if length < 1 or not 0 <= start < os.fstat(file.fileno()).st_size:
            file.close()
            raise BeyondTheEnd(f"{start} + {length} of {key}")
        file.seek(start)
        return cast(BinaryIO, _Range(file, length))

    def size(self, key: str) -> int:
        path = self._path(key)
        if not path.is_file():
            raise MediaNotFound(key)
        return path.stat().st_size

    def delete(self, key: str) -> None:
        try:
            self._path(key).unlink(missing_ok=True)
        except OSError as error:
            raise StoreUnavailable(str(error)) from error

    def _path(self, key: str) -> Path:
        return self.root / checked_key(key)


class _Range(io.RawIOBase):
    """So many bytes of a file from where it stands."""

    def __init__(self, file: BinaryIO, length: int) -> None:
        self._file, self._left = file, length

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        data = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(data)
        return data

    def close(self) -> None:
        self._file.close()
        super().close()
