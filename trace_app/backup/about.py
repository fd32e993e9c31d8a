"""What a backup says of itself, in ``backup.json``: read as a stranger's words, for whoever can write to the folder
could have written them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from trace_app.backup.faults import BackupFault

ABOUT = "backup.json"
STAMP = "%Y%m%dT%H%M%SZ"
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Table = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
FileName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")]
Rows = Annotated[int, Field(ge=0)]


class About(BaseModel):
    """A backup: when it was made and of what, how many rows its tables have, and the hashes of its files."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    format: Literal[1]
    made_at: Annotated[str, Field(pattern=r"^[0-9]{8}T[0-9]{6}Z$")]
    database: Literal["sqlite", "postgresql"]
    revision: Annotated[str, Field(pattern=r"^[0-9a-z_]{1,32}$")]
    rows: dict[Table, Rows]
    sha256: dict[FileName, Hash]
    missing: list[str]
    """The keys of files that the database names and the store had not."""
    label_keys: dict[str, str]
    """What tells the label keys from others, by their numbers."""


def read_about(place: Path) -> About:
    """What a backup's folder says of it.

    :raises BackupFault:
    """
    try:
        about = About.model_validate_json((place / ABOUT).read_text("ascii"))
    except ValidationError as error:
        wrong = ", ".join(sorted({".".join(map(str, one["loc"][:1])) or "all of it" for one in error.errors()}))
        raise BackupFault(f"{place / ABOUT} is not what a backup says of itself: {wrong}.") from error
    except (OSError, ValueError) as error:
        raise BackupFault(f"{place / ABOUT} can't be read.") from error
    if about.made_at != place.name:
        raise BackupFault(f"{place / ABOUT} is of another backup: {about.made_at}.")
    return about
