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


def uploads(field: Field) -> list[tuple[str, bytes]]:
    """File name and content of each file that was chosen in a multiple file field."""
    return [(file.filename, file.read()) for file in field.data or [] if getattr(file, "filename", "")]
