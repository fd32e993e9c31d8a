"""One set of tests for both stores; S3 against a real endpoint."""

import io
import shutil
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

from media_store import BeyondTheEnd, InvalidKey, LocalStore, MediaNotFound, MediaStore, StoreUnavailable
from media_store.s3 import S3Store

KEY, SECRET = "tests-key-1", "tests-secret-1"


@pytest.fixture(scope="session")
def s3_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A bucket named ``media`` on ``rclone serve s3``."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("s3")
    (folder / "media").mkdir()
    rclone = shutil.which("rclone", path=str(Path(sys.executable).parent)) or "rclone"
    server = subprocess.Popen(
        [rclone, "serve", "s3", "--addr", f"127.0.0.1:{port}", "--auth-key", f"{KEY},{SECRET}", str(folder)],
        stderr=subprocess.DEVNULL,
    )
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.1)
    yield f"http://127.0.0.1:{port}"
    server.terminate()
    server.wait()


@pytest.fixture(params=["local", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> MediaStore:
    if request.param == "local":
        return LocalStore(tmp_path / "media")
    endpoint = request.getfixturevalue("s3_endpoint")
    return S3Store("media", endpoint_url=endpoint, region="us-east-1", access_key=KEY, secret_key=SECRET)


def _read(store: MediaStore, key: str) -> bytes:
    file = store.open(key)
    try:
        return file.read()
    finally:
        file.close()


def test_what_was_put_comes_back_whole(store: MediaStore) -> None:
    content = bytes(range(256)) * 40_000
    store.put("photos/3f/whole.webp", io.BytesIO(content), "image/webp")
    assert _read(store, "photos/3f/whole.webp") == content
    assert store.size("photos/3f/whole.webp") == len(content)


def test_putting_again_replaces(store: MediaStore) -> None:
    store.put("labels/1.pdf", io.BytesIO(b"one"), "application/pdf")
    store.put("labels/1.pdf", io.BytesIO(b"another"), "application/pdf")
    assert _read(store, "labels/1.pdf") == b"another"


def test_an_empty_file_is_a_file(store: MediaStore) -> None:
    store.put("documents/empty.txt", io.BytesIO(), "text/plain")
    assert store.size("documents/empty.txt") == 0


def test_what_is_not_there_is_not_found(store: MediaStore) -> None:
    with pytest.raises(MediaNotFound):
        store.open("photos/none.webp")
    with pytest.raises(MediaNotFound):
        store.size("photos/none.webp")


def test_deleting_removes_and_may_be_done_twice(store: MediaStore) -> None:
    store.put("photos/gone.webp", io.BytesIO(b"x"), "image/webp")
    store.delete("photos/gone.webp")
    store.delete("photos/gone.webp")
    with pytest.raises(MediaNotFound):
        store.open("photos/gone.webp")


@pytest.mark.parametrize("key", ["../etc/passwd", "/etc/passwd", "a//b", "", "A.webp", "a/../b", "a\x00b", "x" * 201])
def test_a_key_that_is_no_key_is_refused(store: MediaStore, key: str) -> None:
    with pytest.raises(InvalidKey):
        store.put(key, io.BytesIO(b""), "text/plain")


def test_a_broken_upload_leaves_what_was_there(store: MediaStore) -> None:
    class Broken(io.BytesIO):
        def read(self, *_: object) -> bytes:
            raise RuntimeError("connection lost")

    store.put("photos/kept.webp", io.BytesIO(b"kept"), "image/webp")
    with pytest.raises(RuntimeError):
        store.put("photos/kept.webp", Broken(b"half of a new photo"), "image/webp")
    assert _read(store, "photos/kept.webp") == b"kept"


MB = 1 << 20


class Streamed(io.RawIOBase):
    """A long file that is made as it is read and can't be read twice, as what comes over a network."""

    def __init__(self, length: int) -> None:
        self.left = length

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        length = self.left if size < 0 else min(size, self.left)
        self.left -= length
        return b"\x07" * length


def test_a_long_stream_is_stored_without_being_held_in_memory(store: MediaStore) -> None:
    tracemalloc.start()
    try:
        store.put("clips/long.mp4", Streamed(128 * MB), "video/mp4")
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert store.size("clips/long.mp4") == 128 * MB
    assert most < 64 * MB


@pytest.mark.parametrize(
    ("start", "length", "expected"),
    [(0, 1, b"0"), (3, 4, b"3456"), (0, 10, b"0123456789"), (9, 1, b"9"), (8, 500, b"89")],
)
def test_a_range_is_just_those_bytes(store: MediaStore, start: int, length: int, expected: bytes) -> None:
    store.put("clips/ranges.mp4", io.BytesIO(b"0123456789"), "video/mp4")
    with store.open_range("clips/ranges.mp4", start, length) as file:
        assert file.read(2) + file.read() == expected
        assert file.read(1) == b""


@pytest.mark.parametrize(("start", "length"), [(10, 1), (11, 5), (-1, 5), (3, 0), (3, -1)])
def test_a_range_that_is_none_is_refused(store: MediaStore, start: int, length: int) -> None:
    store.put("clips/ranges.mp4", io.BytesIO(b"0123456789"), "video/mp4")
    with pytest.raises(BeyondTheEnd):
        store.open_range("clips/ranges.mp4", start, length)


def test_a_range_of_what_is_not_there_is_not_found(store: MediaStore) -> None:
    with pytest.raises(MediaNotFound):
        store.open_range("clips/none.mp4", 0, 5)


def test_the_content_type_is_kept_in_s3(s3_endpoint: str) -> None:
    store = S3Store("media", endpoint_url=s3_endpoint, region="us-east-1", access_key=KEY, secret_key=SECRET)
    store.put("labels/typed.pdf", io.BytesIO(b"%PDF"), "application/pdf")
    client = boto3.client(
        "s3",
        endpoint_url=s3_endpoint,
        region_name="us-east-1",
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
        config=Config(signature_version="s3v4"),
    )
    assert client.head_object(Bucket="media", Key="labels/typed.pdf")["ContentType"] == "application/pdf"


def test_an_endpoint_that_does_not_answer_is_unavailable() -> None:
    store = S3Store("media", endpoint_url="http://127.0.0.1:9", region="us-east-1", access_key=KEY, secret_key=SECRET)
    with pytest.raises(StoreUnavailable):
        store.open("photos/any.webp")


@pytest.fixture
def endpoint_that_breaks_off() -> Iterator[str]:
    """An endpoint that promises a thousand bytes, sends five and closes the connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nfirst")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join()


def test_an_endpoint_that_breaks_off_is_unavailable(endpoint_that_breaks_off: str) -> None:
    store = S3Store(
        "media", endpoint_url=endpoint_that_breaks_off, region="us-east-1", access_key=KEY, secret_key=SECRET
    )
    with store.open("photos/any.webp") as file, pytest.raises(StoreUnavailable):
        file.read()
