"""Files that come with a form."""

from __future__ import annotations

from wtforms import Field


def upload(field: Field) -> tuple[str, bytes] | None:
    """File name and content of the file that was chosen in a file field, if one was."""
    file = field.data
    if not getattr(file, "filename", ""):
        return None
    with file.stream:
        return file.filename, file.read()
