from __future__ import annotations

from flask_babel import lazy_gettext as _
from wtforms import BooleanField, Field
from wtforms.validators import ValidationError

from trace_app.cameras.addresses import EXAMPLES, SCHEMES, is_well_formed, leads_to_cameras
from trace_app.cameras.models import LEAST_MINUTES, MOST_MINUTES, CameraFailure, CameraSource
from trace_app.cameras.texts import FAILURES, SOURCES
from trace_app.forms import (
    Filled,
    Form,
    IntegerField,
    SelectField,
    StringField,
    at_most,
    between,
    choices,
    optional,
    required,
)
from trace_app.values import Facts

USUAL_MINUTES = 10
ADDRESS_HINT = _("可带用户名和密码，如 rtsp://user:password@203.0.113.8:554/stream1。加密保存，以后不再显示。")


class CameraForm(Form):
    name = StringField(_("摄像头名称"), [required(), at_most(40)], description=_("如 东头杆子上"))
    source = SelectField(_("取图方式"), [required()], choices=choices(SOURCES.items()))
    address = StringField(
        _("地址"),
        [optional()],
        description=ADDRESS_HINT,
    )
    every_minutes = IntegerField(
        _("每隔几分钟取一张"), [required(), between(LEAST_MINUTES, MOST_MINUTES)], default=USUAL_MINUTES
    )
    on_trace_page = BooleanField(_("每天留一张，放在这里所产批次的溯源页上"))
    active = BooleanField(_("启用"), default=True)

    def validate_address(self, field: Field) -> None:
        if self.source.data not in set(CameraSource):
            # That is said beside it.
            return
        source = CameraSource(self.source.data)
        field.data = (field.data or "").strip()
        if field.data and not is_well_formed(source, field.data):
            raise ValidationError(
                _(
                    "地址不完整：要以 %(schemes)s 开头并写明主机，如 %(example)s。",
                    schemes=" / ".join(f"{scheme}://" for scheme in SCHEMES[source]),
                    example=EXAMPLES[source],
                )
            )

        if field.data and not leads_to_cameras(field.data):
            raise ValidationError(str(FAILURES[CameraFailure.NOT_ALLOWED]))

    @property
    def facts(self) -> Facts:
        return super().facts | {"source": CameraSource(self.source.data)}


class NewCameraForm(CameraForm):
    address = StringField(_("地址"), [Filled(_("请填写地址。"))], description=ADDRESS_HINT)
