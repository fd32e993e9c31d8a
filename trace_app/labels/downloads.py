"""Finished files of print jobs on their way out, for the web and the API alike."""

from __future__ import annotations

from flask import Response, send_file

from qr.formats import FORMATS as FILE_FORMATS
from trace_app.labels import printing
from trace_app.labels.models import PrintVolume
from trace_app.media.service import media_store


def volume_response(volume: PrintVolume) -> Response:
    """A finished file of a print job."""
    file = media_store().open(volume.file_key)
    kind = FILE_FORMATS[volume.job.format].content_type
    response = send_file(file, mimetype=kind, as_attachment=True, download_name=printing.file_name(volume), max_age=0)
    response.content_length = volume.file_bytes
    response.headers["Cache-Control"] = "private, no-store"
    return response
