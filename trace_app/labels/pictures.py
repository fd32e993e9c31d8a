"""Pictures of labels that people send in, looked at in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from flask_babel import lazy_gettext as _

from media_store.confined import NoTurn, TookTooMuch, confined
from qr.reading import UnreadablePicture, codes_in
from trace_app.errors import Problem

if TYPE_CHECKING:
    from qr.verify import Verification

Seen = TypeVar("Seen")


class PicturesWait(Problem):
    """So many pictures are being looked at that one had no turn."""

    status = 503
    title = _("现在识别的照片太多，还没有轮到这一张。请过一会儿再试，或直接输入二维码下面的 13 位字符。")


def codes_in_picture(data: bytes) -> list[str]:
    """The texts of all QR symbols in a JPEG, PNG or WebP.

    :raises UnreadablePicture, PicturesWait:
    """
    return _looked_at(codes_in, data)


def grade_picture(data: bytes) -> Verification:
    """The grades of the symbol in a photo of a label, see `qr.verify.verify`.

    :raises UnreadablePicture, NoSymbol, NotGradable, PicturesWait:
    """
    from qr.verify import verify

    return _looked_at(verify, data)


def _looked_at(look: Callable[[bytes], Seen], data: bytes) -> Seen:
    try:
        return confined(look, memory_mb=512)(data)
    except TookTooMuch as error:
        raise UnreadablePicture(str(error)) from error
    except NoTurn as error:
        raise PicturesWait from error
