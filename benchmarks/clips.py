"""Clips: the poster and frames of one, and taking one in as its phone sends it.

Peers in the same run: one pass of OpenCV that seeks and decodes the same frames and does no more; and copying the same
file to the disk, flushed. The clip is 60 s of 1080p, written by OpenCV; to be taken in, it is filled up to 200 MB.
"""

from __future__ import annotations

import io
import os
import resource
import statistics
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import cv2
import numpy as np
import timing
from records import application

from media_store.clips import FRAMES, look_at_clip, seen_in_clip
from trace_app.accounts.models import Author, User
from trace_app.batches.models import Batch
from trace_app.catalogue.models import ProductKind
from trace_app.clips.uploads import begin_upload, receive_part
from trace_app.db.session import transaction
from trace_app.extensions import db
from trace_app.media.models import Clip, ClipVerdict
from trace_app.records.forms import form_for
from trace_app.records.models import RecordType
from trace_app.records.service import Scope, add_record, entry_for

SECONDS, RATE, SIZE = 60, 30, (1920, 1080)
ROUNDS = 5
PART = 1 << 20
WHOLE_MB = 200


def film(path: Path, seconds: int) -> None:
    """A field in the wind: grain that moves over a slope of colours."""
    width, height = SIZE
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), RATE, SIZE)
    generator = np.random.default_rng(7)
    grain = cv2.GaussianBlur(generator.integers(0, 90, (height, width, 3), np.uint8), (0, 0), 3)
    slope = np.linspace(40, 140, width, dtype=np.float32).astype(np.uint8)[None, :, None]
    for number in range(seconds * RATE):
        writer.write(cv2.add(np.roll(grain, number * 4, axis=1), np.broadcast_to(slope, grain.shape)))
    writer.release()


def decode(path: Path) -> None:
    """The peer: the same frames, and nothing made of them."""
    clip = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    count = int(clip.get(cv2.CAP_PROP_FRAME_COUNT))
    for number in range(FRAMES):
        clip.set(cv2.CAP_PROP_POS_FRAMES, int((number + 0.5) / FRAMES * count))
        assert clip.read()[0]
    clip.release()


def copy(data: bytes, path: Path) -> None:
    with path.open("wb") as file:
        for start in range(0, len(data), PART):
            file.write(data[start : start + PART])
        file.flush()
        os.fsync(file.fileno())


def memory_mb(path: Path) -> float:
    """What a process takes at most that looks at a clip and does nothing else."""
    look = f"from media_store.clips import look_at_clip; look_at_clip({str(path)!r});"
    look += "print(open('/proc/self/status').read())"
    root = Path(__file__).parents[1]
    said = subprocess.run([sys.executable, "-c", look], cwd=root, capture_output=True, text=True, check=True).stdout
    return int(said.split("VmHWM:")[1].split()[0]) / 1024


def a_record() -> tuple[User, int]:
    user = db.session.scalars(db.select(User)).one()
    kind = db.session.get_one(ProductKind, "ginger")
    batch = db.session.scalars(db.select(Batch).order_by(Batch.id)).first()
    assert batch is not None
    facts = form_for(RecordType.CARE, None).parse({"happened_on": "2026-06-01", "note": "培土"}).facts
    with transaction():
        author, scope = Author.of(user), Scope.of(batch)
        record_id = add_record(author, scope, entry_for(kind, RecordType.CARE, None, facts))
    return user, record_id


def take_in(data: bytes) -> float:
    """Seconds until the last part of a clip was answered, and it was looked at and kept."""
    user, record_id = a_record()
    with transaction():
        name = begin_upload(user, record_id, "VID.mp4", len(data)).name

    def send() -> None:
        for start in range(0, len(data), PART):
            receive_part(user, name, start, io.BytesIO(data[start : start + PART]))

    taken = timing.seconds(send)
    clip = db.session.scalars(db.select(Clip).order_by(Clip.id.desc())).first()
    assert clip is not None
    assert clip.verdict is ClipVerdict.READY
    return taken


def main() -> None:
    quick = timing.arguments(__doc__ or "").quick
    with tempfile.TemporaryDirectory(prefix="clips-bench-") as name:
        folder = Path(name)
        path = folder / "film.mp4"
        film(path, SECONDS // 6 if quick else SECONDS)
        print(f"{path.stat().st_size / PART:.1f} MB of film")
        plain, looked, apart = [], [], []
        for _number in range(ROUNDS):
            plain.append(timing.seconds(lambda: decode(path)))
            looked.append(timing.seconds(lambda: look_at_clip(str(path))))
            apart.append(timing.seconds(lambda: seen_in_clip(str(path))))
        child_mb = memory_mb(path)
        data = path.read_bytes()
        room = WHOLE_MB * PART - len(data)
        data += struct.pack(">I4s", room, b"free") + bytes(room - 8)
        with application(folder / "platform", "").app_context():
            take_in(path.read_bytes())
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            taken, copied = [], []
            for _number in range(1 if quick else 3):
                copied.append(timing.seconds(lambda: copy(data, folder / "copy")))
                taken.append(take_in(data))
            grown_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before
            db.session.remove()
            db.engine.dispose()
    pass_s, look_s, apart_s = map(statistics.median, (plain, looked, apart))
    print(f"12 frames decoded {pass_s:.2f} s; with poster and sheet {look_s:.2f} s; in a process apart {apart_s:.2f} s")
    print(f"the process took {child_mb:.0f} MB at most")
    put_s, copy_s = statistics.median(taken), statistics.median(copied)
    print(
        f"{WHOLE_MB} MB taken in and looked at in {put_s:.1f} s, copied in {copy_s:.1f} s; {grown_mb:.0f} MB of memory"
    )
    timing.finish(
        poster_ratio=look_s / pass_s,
        poster_s=apart_s,
        child_mb=child_mb,
        put_s=put_s,
        put_local_ratio=copy_s / put_s,
        put_rss_mb=grown_mb,
    )


if __name__ == "__main__":
    main()
