import io
import struct

import pytest
from PIL import Image

from media_store.photos import LONGEST_SIDE, THUMBNAIL_SIDE, NotAPhoto, PhotoTooLarge, clean_photo
from qr.reading import open_picture


def _jpeg(size: tuple[int, int] = (400, 200), **options: object) -> bytes:
    out = io.BytesIO()
    picture = Image.new("RGB", size, "white")
    picture.paste("red", (0, 0, size[0] // 2, size[1]))
    picture.save(out, "JPEG", **options)
    return out.getvalue()


def _open(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def test_position_and_device_are_gone() -> None:
    exif = Image.Exif()
    exif[0x010F] = "Some phone maker"
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (24.0, 53.0, 6.0)
    data = _jpeg(exif=exif)
    assert b"Some phone maker" in data
    photo = clean_photo(data)
    for made in (photo.data, photo.thumbnail):
        assert b"Some phone maker" not in made
        assert not _open(made).getexif()
        assert "exif" not in _open(made).info


def test_a_photo_on_its_side_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = clean_photo(_jpeg(exif=exif))
    assert (photo.width, photo.height) == (200, 400)
    upright = _open(photo.data).convert("RGB")
    top, bottom = upright.getpixel((100, 40)), upright.getpixel((100, 360))
    assert top[1] < 90
    assert bottom[1] > 200


def test_a_large_photo_is_reduced() -> None:
    photo = clean_photo(_jpeg((4000, 3000)))
    assert (photo.width, photo.height) == (LONGEST_SIDE, 1200)
    assert _open(photo.thumbnail).size == (THUMBNAIL_SIDE, THUMBNAIL_SIDE)


@pytest.mark.parametrize("form", ["PNG", "WEBP", "JPEG"])
def test_the_usual_formats_are_taken_and_kept_as_webp(form: str) -> None:
    out = io.BytesIO()
    Image.new("RGB", (50, 40), "blue").save(out, form)
    assert _open(clean_photo(out.getvalue()).data).format == "WEBP"


def test_what_is_transparent_becomes_white() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (50, 40), (0, 0, 0, 0)).save(out, "PNG")
    assert min(_open(clean_photo(out.getvalue()).data).convert("RGB").getpixel((20, 20))) > 250


@pytest.mark.parametrize(
    "data", [b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"GIF89a" + bytes(40), b"%PDF-1.5", _jpeg()[:200]]
)
def test_what_is_no_photo_is_refused_whatever_it_is_called(data: bytes) -> None:
    with pytest.raises(NotAPhoto):
        clean_photo(data)


def test_a_picture_that_would_burst_memory_is_refused() -> None:
    out = io.BytesIO()
    Image.new("1", (12_000, 12_000)).save(out, "PNG")
    with pytest.raises(PhotoTooLarge):
        clean_photo(out.getvalue())


def test_a_file_of_too_many_bytes_is_refused() -> None:
    with pytest.raises(PhotoTooLarge):
        clean_photo(bytes(21 * 1024 * 1024))


def _on_its_side(tag: int) -> bytes:
    """A photo of orientation 6 of which another entry is a text, as some phones write it."""
    entries = sorted([struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0), struct.pack("<HHI4s", tag, 2, 4, b"640\0")])
    return _jpeg(exif=b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 2) + b"".join(entries) + bytes(4))


@pytest.mark.parametrize("tag", [0x0100, 0x0101, 0x011A, 0x0128, 0x0213])
def test_a_photo_is_turned_whatever_type_its_other_entries_have(tag: int) -> None:
    data = _on_its_side(tag)
    photo = clean_photo(data)
    assert (photo.width, photo.height) == (200, 400)
    assert open_picture(data).shape == (400, 200)


def test_greys_of_sixteen_bits_keep_their_shades() -> None:
    ramp = Image.new("I;16", (256, 8))
    ramp.putdata([column * 257 for _row in range(8) for column in range(256)])
    out = io.BytesIO()
    ramp.save(out, "PNG")
    made = _open(clean_photo(out.getvalue()).data).convert("L")
    for column in (20, 128, 235):
        assert abs(made.getpixel((column, 4)) - column) < 12
