"""Photos and PDFs that come with a form."""

from __future__ import annotations

import re
from typing import Any

from flask_wtf.file import FileField, MultipleFileField
from wtforms import Form as AnyForm
from wtforms import ValidationError

from media_store.photos import CleanedPhoto
from trace_app.errors import Problem
from trace_app.media.service import MAX_PHOTOS, TooManyPhotos, check_pdf, cleaned_photo
from trace_app.uploads import upload


class PhotosField(MultipleFileField):
    """Photos, of which each is opened and made fit to keep when the form is checked: before any transaction begins.

    :ivar cleaned: what is left of them, in their order.
    :ivar to_come: names of photos that the browser sends afterwards, as the line allows.
    """

    cleaned: list[CleanedPhoto]
    to_come: list[str]

    def process(self, formdata: Any, *args: Any, **kwargs: Any) -> None:
        told = formdata.getlist(f"{self.name}_to_come") if formdata else []
        self.to_come = list(dict.fromkeys(name for name in told if re.fullmatch(r"[0-9a-f]{32}", name)))
        super().process(formdata, *args, **kwargs)

    def pre_validate(self, form: AnyForm) -> None:
        """:raises ValidationError: that names each file which can't be kept."""
        self.cleaned = []
        files = [file for file in self.data or [] if getattr(file, "filename", "")]
        if len(files) + len(self.to_come) > MAX_PHOTOS:
            raise ValidationError(TooManyPhotos(most=MAX_PHOTOS).message)
        faults = []
        for file in files:
            try:
                self.cleaned.append(cleaned_photo(file.filename, file.read()))
            except Problem as problem:
                faults.append(problem.message)
        if faults:
            raise ValidationError(" ".join(faults))


class PdfField(FileField):
    """A PDF that is opened when the form is checked: before any transaction begins.

    :ivar opened: file name and content, where one came that can be kept.
    """

    opened: tuple[str, bytes] | None = None

    def pre_validate(self, form: AnyForm) -> None:
        """:raises ValidationError: for what can't be kept."""
        file = upload(self)
        if file is None:
            return
        try:
            check_pdf(*file)
        except Problem as problem:
            raise ValidationError(problem.message) from problem
        self.opened = file
