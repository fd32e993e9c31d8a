"""Files in an S3 bucket, through boto3."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from media_store.store import BeyondTheEnd, MediaNotFound, StoreRefused, StoreUnavailable, checked_key

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client


PARTS_AT_ONCE = 4
"""How many parts of 8 MB of one upload are in memory and on their way."""
_TRANSFER = TransferConfig(multipart_threshold=8 << 20, multipart_chunksize=8 << 20, max_concurrency=PARTS_AT_ONCE)
_TRANSFER.max_in_memory_upload_chunks = PARTS_AT_ONCE
CONNECT_S, READ_S = 2, 5
"""Seconds that the service may take to take a connection, and be silent on one."""
ATTEMPTS = 2
"""How often all in all it is asked: a connection that was kept may have ended meanwhile."""


class S3Store:
    """A `MediaStore` in a bucket that exists already.

    :param endpoint_url: of a service other than Amazon's; None for Amazon's.
    """

    def __init__(
        self,
        bucket: str,
        *,
        endpoint_url: str | None = None,
        region: str | None = None,
        access_key: str | None = None,
        secret_key: str | None = None,
    ) -> None:
        self.bucket = bucket
        self._client: S3Client = boto3.client(
            "s3",
            endpoint_url=endpoint_url,
            region_name=region,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            config=Config(
                signature_version="s3v4",
                connect_timeout=CONNECT_S,
                read_timeout=READ_S,
                retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
                # Other services than Amazon's do not all know the newer checksum headers.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    def put(self, key: str, content: BinaryIO, content_type: str) -> None:
        with _failures(key):
            self._client.upload_fileobj(
                content, self.bucket, checked_key(key), ExtraArgs={"ContentType": content_type}, Config=_TRANSFER
            )

    def open(self, key: str) -> BinaryIO:
        with _failures(key):
            body = self._client.get_object(Bucket=self.bucket, Key=checked_key(key))["Body"]
        return cast(BinaryIO, _Body(key, body))

    def open_range(self, key: str, start: int, length: int) -> BinaryIO:
        if start < 0 or length < 1:
            raise BeyondTheEnd(f"{start} + {length} of {key}")
        with _failures(key):
            span = f"bytes={start}-{start + length - 1}"
            body = self._client.get_object(Bucket=self.bucket, Key=checked_key(key), Range=span)["Body"]
        return cast(BinaryIO, _Body(key, body))

    def size(self, key: str) -> int:
        with _failures(key):
            return self._client.head_object(Bucket=self.bucket, Key=checked_key(key))["ContentLength"]

    def delete(self, key: str) -> None:
        with _failures(key):
            self._client.delete_object(Bucket=self.bucket, Key=checked_key(key))


class _Body(io.RawIOBase):
    """The content as it comes in; where it breaks off the store is unavailable, as everywhere."""

    def __init__(self, key: str, body: StreamingBody) -> None:
        self._key, self._body = key, body

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        with _failures(self._key):
            return self._body.read(None if size < 0 else size)

    def close(self) -> None:
        self._body.close()
        super().close()


@contextmanager
def _failures(key: str) -> Iterator[None]:
    """Turn boto3's errors to the store's own."""
    try:
        yield
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in {"NoSuchKey", "404", "NotFound"}:
            raise MediaNotFound(key) from error
        if error.response.get("Error", {}).get("Code") in {"InvalidRange", "416"}:
            raise BeyondTheEnd(key) from error
        answered = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        raise (StoreRefused if 400 <= answered < 500 else StoreUnavailable)(str(error)) from error
    except (BotoCoreError, boto3.exceptions.Boto3Error) as error:
        raise StoreUnavailable(str(error)) from error
