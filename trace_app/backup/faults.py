"""What keeps a backup from being made or restored."""

from __future__ import annotations


class BackupFault(RuntimeError):
    """A backup can't be made, or what is there can't be restored. Its text says what to do."""
