"""Decoders of foreign files in processes of their own: what they cost where the file is meant to hurt."""

from __future__ import annotations

import io
import os
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from PIL import Image

from media_store import confined as module
from media_store.confined import NoTurn, TookTooMuch, confined
from media_store.pdfs import UnreadablePdf, pages_of
from media_store.photos import LONGEST_SIDE, MAX_BYTES, PhotoTooLarge, photo_from
from media_store.workbooks import UnreadableWorkbook, sheets_of
from tests.media_store.decoders import (
    be_killed,
    double,
    fail,
    fill_memory,
    never_end,
    sleep_on,
    talk,
    what_is_here,
    whose_process,
    write_a_file,
)
from tests.world import sheet_with


def test_it_returns_and_raises_what_the_function_does_in_another_process() -> None:
    assert confined(double)(21) == 42
    assert confined(whose_process)() != os.getpid()
    with pytest.raises(KeyError, match="a word"):
        confined(fail)("a word")
    assert confined(talk)() == "the answer"


def test_memory_is_bounded() -> None:
    assert confined(fill_memory, memory_mb=64)(16) == 16 * 1024 * 1024
    with pytest.raises(TookTooMuch):
        confined(fill_memory, memory_mb=64)(128)


@pytest.mark.parametrize("endless", [never_end, be_killed])
def test_what_does_not_end_or_is_killed_costs_its_sender_alone(endless: object) -> None:
    with pytest.raises(TookTooMuch):
        confined(endless, seconds=1)()  # type: ignore[arg-type]


def test_who_only_waits_is_ended_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GRACE_S", 0)
    with pytest.raises(TookTooMuch):
        confined(sleep_on, seconds=1)(60)


def test_nothing_is_written_to_a_disk(tmp_path: object) -> None:
    with pytest.raises((TookTooMuch, OSError)):
        confined(write_a_file)(f"{tmp_path}/x")


def test_the_process_stands_in_an_empty_folder_which_goes_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert confined(what_is_here)() == []
    with pytest.raises(TookTooMuch):
        confined(be_killed, seconds=1)()
    assert list(tmp_path.iterdir()) == []


def test_no_secret_of_the_platform_is_in_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "known-to-none")
    assert confined(os.getenv)("SECRET_KEY") is None


def test_so_many_at_a_time_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_turns", threading.BoundedSemaphore(1))
    monkeypatch.setattr(module, "PATIENCE_S", 0.01)
    taken = module._turns.acquire()
    assert taken
    with pytest.raises(NoTurn):
        confined(double)(1)
    module._turns.release()
    assert confined(double)(1) == 2


# ---- files


def _picture(kind: str, mode: str, size: tuple[int, int]) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size).save(out, kind)
    return out.getvalue()


@pytest.mark.parametrize(
    ("kind", "mode", "size"),
    [("PNG", "RGBA", (8_900, 8_900)), ("PNG", "1", (20_000, 20_000)), ("JPEG", "L", (16_000, 15_700))],
)
def test_no_picture_is_laid_out_that_would_burst_memory(kind: str, mode: str, size: tuple[int, int]) -> None:
    data = _picture(kind, mode, size)
    assert len(data) < MAX_BYTES
    with pytest.raises(PhotoTooLarge):
        photo_from(data)


@pytest.mark.parametrize(
    ("kind", "mode", "size"),
    [
        ("JPEG", "L", (12_000, 9_000)),
        ("JPEG", "RGB", (16_000, 12_500)),
        ("PNG", "RGBA", (3_900, 3_200)),
        ("PNG", "LA", (3_900, 3_200)),
        ("PNG", "I;16", (3_900, 3_200)),
        ("PNG", "P", (3_900, 3_200)),
        ("WEBP", "RGB", (2_900, 2_580)),
        ("WEBP", "RGBA", (2_900, 2_580)),
        ("AVIF", "RGB", (4_032, 3_024)),
    ],
)
def test_the_large_pictures_of_phones_are_taken(kind: str, mode: str, size: tuple[int, int]) -> None:
    assert photo_from(_picture(kind, mode, size)).width == LONGEST_SIDE


def test_a_workbook_is_read() -> None:
    [sheet] = sheets_of(sheet_with("A1", "B2"), 100, 10)
    assert sheet.rows[0][0] == 1.0


@pytest.mark.parametrize("cell", ["XFD1048576", "A1048576", "XFD2"])
def test_a_cell_at_the_end_of_the_sheet_takes_nobody_along(cell: str) -> None:
    assert len(sheet_with("A1", cell)) < 2000
    with pytest.raises((UnreadableWorkbook, TookTooMuch)):
        sheets_of(sheet_with("A1", cell), 50_000, 200)


def test_a_pdf_of_a_million_pages_and_one_that_is_none() -> None:
    kids = b"3 0 R " * 1_000_000
    pages = b"2 0 obj<</Type/Pages/Count 1000000/Kids[" + kids + b"]>>endobj\n"
    data = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n" + pages
    data += b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj\ntrailer<</Root 1 0 R/Size 4>>\n%%EOF"
    with suppress(UnreadablePdf, TookTooMuch):
        assert pages_of(data) > 0
    with pytest.raises(UnreadablePdf):
        pages_of(b"%PDF-1.4 nothing")
