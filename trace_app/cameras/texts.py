"""Cameras in words, and what their owners are told."""

from __future__ import annotations

from datetime import datetime

from flask_babel import force_locale
from flask_babel import lazy_gettext as _

from trace_app.cameras.models import Camera, CameraAlarm, CameraFailure, CameraSource, CameraTrouble
from trace_app.clock import local
from trace_app.settings import address_of
from trace_app.values import JsonObject

SOURCES = {
    CameraSource.SNAPSHOT: _("抓拍图片（HTTP）"),
    CameraSource.HLS: _("直播流（HLS）"),
    CameraSource.RTSP: _("摄像头码流（RTSP）"),
}
FAILURES = {
    CameraFailure.NO_ANSWER: _("摄像头没有应答。请看电源和网络，再核对地址和端口。"),
    CameraFailure.REFUSED: _("用户名或密码不对，摄像头没有放行。请重新填写地址。"),
    CameraFailure.REDIRECTED: _("这个地址转到了别处，平台不跟着走。请填写最终的地址。"),
    CameraFailure.NOT_ALLOWED: _("这个地址在内网里，平台不能访问。请填写公网地址，或请管理员把该网段加入设置。"),
    CameraFailure.NO_PICTURE: _("有应答，但取不到画面。请核对地址和取图方式；码流请设为 H.264 编码。"),
}
TROUBLES = {
    CameraTrouble.SILENT: _("无画面"),
    CameraTrouble.BLACK: _("画面全黑"),
    CameraTrouble.FROZEN: _("画面不动"),
    CameraTrouble.COVERED: _("镜头被遮挡"),
    CameraTrouble.BLURRED: _("画面模糊"),
    CameraTrouble.MOVED: _("镜头被移动"),
}
ADVICE = {
    CameraTrouble.SILENT: _("请看摄像头的电源和网络。"),
    CameraTrouble.BLACK: _("请看镜头盖和补光。"),
    CameraTrouble.FROZEN: _("请重启摄像头。"),
    CameraTrouble.COVERED: _("请清理镜头前的东西。"),
    CameraTrouble.BLURRED: _("请擦拭镜头。"),
    CameraTrouble.MOVED: _("请把镜头转回原处；若是有意移动，三天后不再提示。"),
}


def _said(camera: Camera, what: str, lines: list[str], kind: str, trouble: CameraTrouble, at: datetime) -> JsonObject:
    return {
        "subject": f"[{_('摄像头')}] {camera.site.name} {camera.name} {what}",
        "lines": [*lines, f"{_('基地：')}{camera.site.name}"],
        "link": address_of("cameras.show", camera_id=camera.id),
        "type": kind,
        "facts": {"camera": camera.id, "trouble": trouble.value, "at": at.isoformat()},
    }


def message_of_trouble(alarm: CameraAlarm) -> JsonObject:
    """What an owner is told when something is wrong; see `trace_app.messages.models.Delivery.message`."""
    with force_locale("zh_CN"):
        what = str(_("自 %(time)s 起", time=f"{local(alarm.since):%H:%M}")) + str(TROUBLES[alarm.trouble])
        lines = [f"{alarm.camera.name}：{what}。", str(ADVICE[alarm.trouble])]
        return _said(alarm.camera, what, lines, "camera-trouble", alarm.trouble, alarm.since)


def message_of_end(alarm: CameraAlarm, until: datetime) -> JsonObject:
    """What an owner is told when that is over."""
    with force_locale("zh_CN"):
        what = str(_("%(time)s 恢复", time=f"{local(until):%H:%M}"))
        since = f"{local(alarm.since):%Y-%m-%d %H:%M}"
        lines = [
            str(
                _(
                    "%(name)s：%(trouble)s（自 %(since)s 起）已恢复。",
                    name=alarm.camera.name,
                    trouble=TROUBLES[alarm.trouble],
                    since=since,
                )
            )
        ]
        return _said(alarm.camera, what, lines, "camera-restored", alarm.trouble, until)
