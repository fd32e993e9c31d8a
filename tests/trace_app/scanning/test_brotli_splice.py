"""The spliced stream against its reference, the decoder of the brotli package."""

from __future__ import annotations

import random

import brotli
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trace_app.scanning import brotli_splice
from trace_app.scanning.brotli_splice import BrokenSplice

LENGTHS = st.sampled_from([0, 1, 2, 6, 13, 16, 96])
PARTS = st.one_of(st.text(max_size=3), st.text(max_size=300), st.text("<dt>产品", max_size=400)).map(str.encode)


def _whole(parts: list[bytes], inserts: list[bytes]) -> bytes:
    return parts[0] + b"".join(insert + part for insert, part in zip(inserts, parts[1:], strict=True))


def _spliced(parts: list[bytes], inserts: list[bytes]) -> bytes:
    pieces = brotli_splice.compress(parts, [len(insert) for insert in inserts])
    pieces[1::2] = inserts
    return b"".join(pieces)


@given(first=PARTS, rest=st.lists(st.tuples(PARTS, LENGTHS), max_size=8), data=st.data())
@settings(max_examples=300)
def test_a_decoder_makes_of_it_what_was_cut(first: bytes, rest: list[tuple[bytes, int]], data: st.DataObject) -> None:
    parts = [first, *(part for part, _length in rest)]
    inserts = [data.draw(st.binary(min_size=length, max_size=length)) for _part, length in rest]
    assert brotli.decompress(_spliced(parts, inserts)) == _whole(parts, inserts)


@pytest.mark.parametrize("seed", range(80))
def test_long_pages_that_repeat_themselves_are_whole_with_whatever_is_put_in(seed: int) -> None:
    chance = random.Random(seed)
    words = [
        "".join(chr(chance.randrange(1, 0xD7FF)) for _ in range(chance.randrange(1, 12))).encode() for _ in range(40)
    ]
    words += [f"<dt>{chance.choice('产品基地检测用药采收')}</dt><dd class=soft>".encode() for _ in range(40)]
    parts = [b"".join(chance.choices(words, k=chance.randrange(300))) for _ in range(7)]
    lengths = [chance.choice([0, 13, 16, 96, 6]) for _ in parts[1:]]
    pieces = brotli_splice.compress(parts, lengths)
    for _ in range(5):
        # Texts that also stand in the page, as a code does in its address.
        inserts = [(chance.choice(words) * 100)[:length] for length in lengths]
        pieces[1::2] = inserts
        assert brotli.decompress(b"".join(pieces)) == _whole(parts, inserts)


def test_it_compresses_as_well_as_the_whole_text() -> None:
    text = "一枚标签一个码，扫码看到地块、用药和检测。".encode() * 40
    spliced = _spliced([text, text, text], [b"7KQ2M0XR9T4VH", b"7 KQ2M 0XR9 T4VH"])
    assert len(spliced) < len(brotli.compress(text * 3, quality=5)) + 120


def test_what_a_decoder_would_not_read_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    parts, lengths = ["一枚标签一个码".encode() * 20, "扫码看到地块".encode() * 20], [13]
    monkeypatch.setattr(brotli_splice, "CONTEXT_BYTES", 0)
    monkeypatch.setattr(brotli_splice, "_uncompressed_head", lambda length: b"\x00\x00\x08")
    with pytest.raises(BrokenSplice):
        brotli_splice.compress(parts, lengths)


def test_a_copy_that_reached_into_a_place_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "<dt>产品</dt><dd>".encode()
    # A filling that also stands in the text, as any that is not kept apart may.
    monkeypatch.setattr(brotli_splice, "_filling", lambda _number, length: (text * 10)[:length])
    with pytest.raises(BrokenSplice):
        brotli_splice.compress([text * 5, text * 20, text * 20], [96, 16])
