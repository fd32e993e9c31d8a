"""Statements that are compiled once and run as text: for the few that run with every scan.

To execute a compiled construct again costs SQLAlchemy ten times what the driver takes for a look at one row. A test
holds what is read this way against what SQLAlchemy reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa


class PreparedSelect:
    """A SELECT that reads from the driver itself, past SQLAlchemy's events."""

    def __init__(self, statement: sa.SelectBase, dialect: sa.Dialect) -> None:
        compiled: Any = statement.compile(dialect=dialect)
        self.text = str(compiled)
        self._names: list[str] | None = compiled.positiontup
        """The parameters in their order, where the dialect knows them by their places."""
        self._fixed: dict[str, object] = compiled.params
        self._dialect: Any = dialect
        readers = [(place, _reader(column, dialect)) for place, column in enumerate(statement.selected_columns)]
        self._readers = [(place, reader) for place, reader in readers if reader is not None]

    def rows(self, connection: sa.Connection, values: Mapping[str, object]) -> list[Any]:
        """:raises sa.exc.DBAPIError: as SQLAlchemy does, and marks a connection that is lost as invalid."""
        proxied: Any = connection.connection
        cursor = proxied.cursor()
        try:
            cursor.execute(self.text, self._values(values))
            rows: list[Any] = cursor.fetchall()
        except self._dialect.dbapi.Error as error:
            lost = self._dialect.is_disconnect(error, proxied, cursor)
            if lost:
                connection.invalidate(error)
            wrapped = sa.exc.DBAPIError.instance(
                self.text, None, error, self._dialect.dbapi.Error, connection_invalidated=lost, dialect=self._dialect
            )
            raise wrapped from error
        finally:
            cursor.close()
        return [self._read(row) for row in rows] if self._readers else rows

    def _values(self, values: Mapping[str, object]) -> Any:
        values = {**self._fixed, **values}
        return values if self._names is None else tuple([values[name] for name in self._names])

    def _read(self, row: Iterable[Any]) -> list[Any]:
        read = list(row)
        for place, reader in self._readers:
            read[place] = reader(read[place])
        return read


class PreparedInsert:
    """An INSERT of many rows, which goes through ``Connection.exec_driver_sql``.

    :param columns: the names of those that each row gives, in its order; defaults are not filled in.
    """

    def __init__(self, statement: sa.Insert, columns: Sequence[str], dialect: sa.Dialect) -> None:
        compiled: Any = statement.compile(dialect=dialect, column_keys=columns)
        self.text = str(compiled)
        self._columns = columns if compiled.positiontup is None else None
        """The names of the parameters, where the dialect wants them."""
        writers = [_writer(statement.table.columns[name].type, dialect) for name in columns]
        # Moments and the like are the same in many rows.
        self._writers = [(n, lru_cache(maxsize=1024)(write)) for n, write in enumerate(writers) if write is not None]

    def execute(self, connection: sa.Connection, rows: Iterable[Sequence[object]]) -> None:
        """:raises sa.exc.DBAPIError:"""
        if values := [self._values(row) for row in rows]:
            connection.exec_driver_sql(self.text, values)

    def _values(self, row: Sequence[object]) -> Any:
        if self._writers:
            row = list(row)
            for place, write in self._writers:
                row[place] = write(row[place])
        return tuple(row) if self._columns is None else dict(zip(self._columns, row, strict=True))


def _writer(type_: sa.types.TypeEngine[Any], dialect: sa.Dialect) -> Callable[[Any], Any] | None:
    return type_.dialect_impl(dialect).bind_processor(dialect)


def _reader(column: sa.ColumnElement[Any], dialect: sa.Dialect) -> Callable[[Any], Any] | None:
    return column.type.dialect_impl(dialect).result_processor(dialect, None)
