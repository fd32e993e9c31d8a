"""The document on the data names every table."""

import re
from pathlib import Path

from trace_app.extensions import db

DOCUMENT = Path(__file__).parents[1] / "docs" / "data.md"


def test_every_table_stands_in_the_document_on_the_data() -> None:
    named = set(re.findall(r"[a-z][a-z_]*[a-z]", DOCUMENT.read_text()))
    assert set(db.metadata.tables) - named == set()
    assert len(db.metadata.tables) > 50
