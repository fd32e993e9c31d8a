"""What to tell the packer about a photo of a printed label."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

PARAMETERS = {
    "decode": _("识读"),
    "symbol_contrast": _("反差"),
    "modulation": _("黑白均匀"),
    "fixed_pattern_damage": _("定位图案"),
    "axial_nonuniformity": _("长宽比例"),
    "grid_nonuniformity": _("网格平整"),
    "unused_error_correction": _("纠错余量"),
    "quiet_zone": _("四周空白"),
}
"""ISO/IEC 15415 in plain words."""
HINTS = {
    "unreadable": _("看到了二维码，但读不出内容。请对准、靠近、在亮处再拍一张；如仍读不出，请不要贴这张标签。"),
    "quiet-zone-left": _("左边的空白被切掉或压住了：左边至少留 4 个模块，请检查标签纸是否走偏。"),
    "quiet-zone-right": _("右边的空白被切掉或压住了：右边至少留 4 个模块，请检查标签纸是否走偏。"),
    "quiet-zone-top": _("上边的空白被切掉或压住了：上边至少留 4 个模块，请检查标签纸是否走偏。"),
    "quiet-zone-bottom": _("下边的空白被切掉或压住了：下边至少留 4 个模块，请检查标签纸是否走偏。"),
    "photo-too-far": _("照片里的二维码太小，请靠近些再拍。"),
    "print-darker": _("印得太淡：请把打印浓度调高一档，或换新碳带、擦打印头。"),
    "print-lighter": _("印得太浓，黑块连在一起：请把打印浓度调低一档，或放慢打印速度。"),
    "background-too-dark": _("底色太深或光线太暗：请用白色标签纸，在亮处再拍。"),
    "damaged": _("二维码有缺损或污渍：请重印这一张，并擦净打印头。"),
    "blurred": _("照片模糊：请拿稳、对焦后再拍；如果标签本身就糊，请放慢打印速度。"),
    "pattern-damaged": _("二维码角上的方框有缺损：请擦净打印头，检查有没有断针。"),
    "stretched": _("二维码被拉长或压扁：请按“实际大小”打印，检查走纸是否打滑。"),
    "uneven": _("二维码局部变形：标签可能起皱或走纸不匀，请重印。"),
    "strokes-too-wide": _("线条偏粗，还能扫；打印浓度调低一档会更好。"),
    "strokes-too-thin": _("线条偏细，还能扫；打印浓度调高一档会更好。"),
}
VERDICTS = {
    "A": _("很好，可以放心贴"),
    "B": _("好，可以贴"),
    "C": _("能用，建议改进后再印"),
    "D": _("勉强能扫，请改进后重印"),
    "F": _("不合格，请不要贴"),
}
