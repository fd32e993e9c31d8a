"""A round of two hundred cameras of which forty are dead, and the strip of a season on a trace page.

The living ones give out a JPEG of 1280 × 720 by HTTP; of the dead, half take connections and say nothing, half have no
one there. Peer: the same pictures asked for and opened one after the other, with nobody dead and nothing kept.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import create_server
from typing import Any
from urllib.request import urlopen

sys.path.insert(0, str(Path(__file__).parents[1]))

import cv2
import numpy as np
import sqlalchemy as sa
import timing
from records import application

from media_store.glimpses import look_at_photo
from trace_app.batches.models import Batch
from trace_app.cameras import rounds
from trace_app.cameras.addresses import seal
from trace_app.cameras.models import Camera, CameraSource
from trace_app.db.base import utc_now
from trace_app.db.session import transaction
from trace_app.demo.cameras import field
from trace_app.extensions import db
from trace_app.media.models import CameraPicture

CAMERAS, DEAD = 200, 40
QUICK = 5
"""A quick run has a fifth of both."""
STRIP = 12


def yard() -> bytes:
    """A picture with as much detail as a yard has."""
    generator = np.random.default_rng(7)
    frame = cv2.GaussianBlur(generator.integers(0, 255, (720, 1280, 3), np.uint8), (0, 0), 2)
    return cv2.imencode(".jpg", frame)[1].tobytes()


class Answer(BaseHTTPRequestHandler):
    picture = yard()

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.picture)))
        self.end_headers()
        self.wfile.write(self.picture)

    def log_message(self, *_arguments: Any) -> None:
        """Quiet."""


def add_cameras(living: str, silent: str, count: int, dead: int) -> None:
    with transaction():
        batch = db.session.scalars(sa.select(Batch)).first()
        assert batch is not None
        for number in range(count):
            address = f"http://{living}/{number}.jpg"
            source = CameraSource.SNAPSHOT
            if number < dead:
                address = f"rtsp://{silent}/{number}" if number % 2 else "rtsp://127.0.0.1:9/dead"
                source = CameraSource.RTSP
            db.session.add(
                Camera(
                    producer_id=batch.producer_id,
                    site_id=batch.site_id,
                    name=f"{number}",
                    source=source,
                    sealed_address=seal(address),
                    every_minutes=10,
                    on_trace_page=False,
                    due_at=utc_now(),
                )
            )


def main() -> None:
    share = QUICK if timing.arguments(__doc__ or "").quick else 1
    count, dead = CAMERAS // share, DEAD // share
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    living = f"127.0.0.1:{server.server_address[1]}"
    with tempfile.TemporaryDirectory() as folder, create_server(("127.0.0.1", 0), backlog=64) as silent:
        app = application(Path(folder), "", camera_allow=["127.0.0.0/8"])
        with app.app_context():
            add_cameras(living, f"127.0.0.1:{silent.getsockname()[1]}", count, dead)
            begun = time.perf_counter()
            rounds.look_round()
            round_s = time.perf_counter() - begun
            seen = db.session.scalar(sa.select(sa.func.count(CameraPicture.id)))
            failed = db.session.scalar(sa.select(sa.func.count(Camera.id)).where(Camera.failure.is_not(None)))
            assert (seen, failed) == (count - dead, dead), (seen, failed)
        begun = time.perf_counter()
        for number in range(count - dead):
            look_at_photo(urlopen(f"http://{living}/{number}.jpg").read())
        plain_s = time.perf_counter() - begun
    strip = sum(len(look_at_photo(field(number / (STRIP - 1), number)).strip) for number in range(STRIP))
    print(f"  a round of {count} cameras, {dead} of them dead   {round_s:8.1f} s")
    print(f"  the living ones in one process, plain        {plain_s:8.1f} s")
    print(f"  a strip of {STRIP} pictures                      {strip:8d} bytes")
    timing.finish(cameras=count, dead=dead, round_s=round_s, round_ratio=round_s / plain_s, strip_bytes=strip)


if __name__ == "__main__":
    main()
