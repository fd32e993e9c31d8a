"""What values are called whose types a form or a document decides."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

Json: TypeAlias = "str | int | float | bool | Sequence[Json] | Mapping[str, Json] | None"
"""A value of a JSON document that is written."""
JsonObject = dict[str, Json]
StoredJson = dict[str, Any]
"""A JSON column's value: who wrote it knows what it holds, and no type can say it of what a database returns."""
Facts = dict[str, Any]
"""What a form gives a service, by field: each field has a type of its own, and the fields are those of the form."""
