"""A text compressed once as Brotli, with places into which short texts are put afterwards, as they are.

A Brotli stream (RFC 7932) is a row of meta-blocks, and a meta-block may be uncompressed (section 9.2: not the last,
four nibbles of length, the flag). So the parts between the places are compressed one after the other, each flushed to
a whole byte, and what is put in becomes an uncompressed meta-block between them. Three things keep the stream right:

- While it compresses, the encoder sees a filling in each place, of which every second byte, the first and the last are
  ones that UTF-8 never has. A copy is two bytes or longer, so no part has one that reaches into a place.
- All that goes into a place has one length, or copies from before the place would miss their source.
- A decoder chooses the codes of a compressed byte by the two bytes before it (section 7.1). So the two bytes after a
  place stand in the uncompressed meta-block too, and no compressed byte has a place within two bytes before it.

The reference is the decoder of the ``brotli`` package: tests/trace_app/scanning/test_brotli_splice.py. Each stream is
decoded once when it is made, too: a tenth of a millisecond, where a wrong one would be all labels' page.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import brotli

CONTEXT_BYTES = 2
NOT_IN_UTF8 = 0xF8
"""Bytes from here on occur in no UTF-8 text (RFC 3629, section 3)."""


class BrokenSplice(ValueError):
    """A decoder would not make the text of what was put together."""


def compress(parts: Sequence[bytes], lengths: Sequence[int]) -> list[bytes]:
    """The pieces of a Brotli stream; every other piece, from the second on, is a place, empty as yet.

    :param parts: the text in UTF-8, cut at the places.
    :param lengths: how many bytes go into each place; 0 for a mere cut, which begins a new piece all the same.
    :raises BrokenSplice:
    """
    encoder = brotli.Compressor(mode=brotli.MODE_TEXT, quality=5, lgwin=16)
    pieces = [encoder.process(parts[0]) + encoder.flush()]
    owed = 0  # Bytes that still have to stand uncompressed behind a place.
    for number, (length, part) in enumerate(zip(lengths, parts[1:], strict=True)):
        owed = CONTEXT_BYTES if length else owed
        after = part[:owed]
        owed -= len(after)
        if length or after:
            encoder.process(_filling(number, length) + after)
            encoder.flush()
            pieces[-1] += _uncompressed_head(length + len(after))
        pieces += [b"", after + encoder.process(part[len(after) :]) + encoder.flush()]
    pieces[-1] += encoder.finish()
    _check(pieces, parts, [bytes(length) for length in lengths])
    return pieces


def _filling(number: int, length: int) -> bytes:
    """Bytes without order, others for each place."""
    drawn = hashlib.shake_128(number.to_bytes(2, "big")).digest(length)
    return bytes(byte | NOT_IN_UTF8 if n % 2 == 0 or n == length - 1 else byte for n, byte in enumerate(drawn))


def _uncompressed_head(length: int) -> bytes:
    """The head of an uncompressed meta-block (RFC 7932, 9.2): ISLAST 0, MNIBBLES 4, MLEN - 1, ISUNCOMPRESSED 1."""
    return ((length - 1) << 3 | 1 << 19).to_bytes(3, "little")


def _check(pieces: list[bytes], parts: Sequence[bytes], inserts: list[bytes]) -> None:
    stream, text = pieces.copy(), list(parts)
    stream[1::2] = inserts
    text[1:] = [insert + part for insert, part in zip(inserts, parts[1:], strict=True)]
    try:
        if brotli.decompress(b"".join(stream)) != b"".join(text):
            raise BrokenSplice("the stream does not give the text")
    except brotli.error as error:
        raise BrokenSplice(str(error)) from error
