"""How clips are spoken of."""

from __future__ import annotations

import math

from flask_babel import lazy_gettext as _

from trace_app.media.models import Clip, ClipVerdict

REFUSALS = {
    ClipVerdict.NO_CLIP: _("不是能识别的视频。请选择手机拍的视频（MP4、MOV 或 WebM）。"),
    ClipVerdict.CUT_OFF: _("视频不完整，可能拍摄时中断了。请换一段能正常播放的。"),
    ClipVerdict.NO_PICTURE: _("视频里没有能打开的画面。请换一段，或把手机的视频格式设为“兼容性最佳（H.264）”再拍。"),
    ClipVerdict.TOO_LONG: _("视频超过 10 分钟。请剪成几段再传。"),
    ClipVerdict.TOO_LARGE: _("视频的画面太大，打不开。请用 1080p 或 4K 再拍。"),
}


def clip_length(clip: Clip) -> str:
    """Minutes and seconds as players show them."""
    seconds = round((clip.milliseconds or 0) / 1000)
    return f"{seconds // 60}:{seconds % 60:02d}"


def file_size(amount: int) -> str:
    """Bytes as people speak of files: small ones in KB, others in MB with one place below ten."""
    mb = amount / (1 << 20)
    if mb < 0.1:
        return f"{math.ceil(amount / 1024)} KB"
    return f"{mb:.1f} MB" if mb < 10 else f"{mb:.0f} MB"
