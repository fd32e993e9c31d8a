"""Constraints that a migration adds to tables that are there, in SQL that both databases understand.

SQLite can add none to a table: there it is made anew with the same text and one line more. So nothing is lost of what
the table has besides: computed columns, other constraints, indexes, triggers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import sqlalchemy as sa

_TYPES = "types"
_NUMERIC = re.compile(r"NUMERIC\((\d+), ?(\d+)\)")
_LENGTH = re.compile(r"VARCHAR\((\d+)\)")


def declare(connection: sa.Connection, rules: Mapping[str, Mapping[str, str]]) -> None:
    """Add constraints, by table and name, such as ``CHECK (quantity > 0)``. A table is made anew once for all of its.

    :raises RuntimeError: where rows that are there already break one. It names them, and nothing has been changed.
    """
    for table, own in rules.items():
        for name, body in own.items():
            _refuse_broken(connection, table, name, body)
    for table, own in rules.items():
        if connection.dialect.name == "postgresql":
            for name, body in own.items():
                connection.execute(sa.text(f"ALTER TABLE {table} ADD CONSTRAINT {name} {body}"))
        else:
            _make_anew(connection, table, lambda sql, own=own: _with(sql, own))  # type: ignore[misc]


def retract(connection: sa.Connection, rules: Mapping[str, Mapping[str, str]]) -> None:
    """Take constraints away again."""
    for table, own in reversed(list(rules.items())):
        if connection.dialect.name == "postgresql":
            for name in own:
                connection.exec_driver_sql(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        else:
            _make_anew(connection, table, lambda sql, own=own: _without(sql, own))  # type: ignore[misc]


def drop_default(connection: sa.Connection, table: str, column: str) -> None:
    """Have the database refuse a row that says nothing of a column, in place of filling it in by itself."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"ALTER TABLE {table} ALTER {column} DROP DEFAULT")
        return
    told = re.compile(rf"""([\n,]\s*"?{column}"? [A-Z]+(?:\(\d+(?:, ?\d+)?\))?) DEFAULT (?:\('[^']*'\)|'[^']*'|\d+)""")
    _make_anew(connection, table, lambda sql: told.sub(r"\1", sql))


def hold_types(connection: sa.Connection, table: str) -> None:
    """Have SQLite hold what the types of a table's columns say, as PostgreSQL does by itself: lengths, numbers and
    their size, days, moments, yes and no, JSON.

    A migration that adds a column calls this again.
    """
    if connection.dialect.name != "sqlite":
        return
    name, body = f"ck_{table}_{_TYPES}", f"CHECK ({types_of(connection, table)})"
    sql = _sql_of(connection, table)
    if f"CONSTRAINT {name} {body}" in sql:
        return
    _refuse_broken(connection, table, name, body)
    _make_anew(connection, table, lambda text: _with(_without(text, (name,)), {name: body}))


def let_types_go(connection: sa.Connection, table: str) -> None:
    """Take back what `hold_types` did."""
    if connection.dialect.name == "sqlite":
        _make_anew(connection, table, lambda sql: _without(sql, (f"ck_{table}_{_TYPES}",)))


def types_of(connection: sa.Connection, table: str) -> str:
    """The condition that the columns of a table on SQLite have what their types say."""
    columns = connection.exec_driver_sql(f"PRAGMA table_xinfo({table})").all()
    return " AND ".join(_has_type(column.name, column.type.upper()) for column in columns if not column.hidden)


def _has_type(name: str, declared: str) -> str:
    column = f'"{name}"'
    if match := _LENGTH.fullmatch(declared):
        test = f"typeof({column}) = 'text' AND length({column}) <= {match[1]}"
    elif match := _NUMERIC.fullmatch(declared):
        most = 10 ** (int(match[1]) - int(match[2]))
        test = f"typeof({column}) IN ('integer', 'real') AND abs({column}) < {most}"
    elif declared == "TEXT":
        test = f"typeof({column}) = 'text'"
    elif declared in ("INTEGER", "BIGINT"):
        test = f"typeof({column}) = 'integer'"
    elif declared in ("FLOAT", "DOUBLE"):
        test = f"typeof({column}) IN ('integer', 'real')"
    elif declared == "BOOLEAN":
        test = f"{column} IN (0, 1)"
    elif declared == "DATE":
        test = f"date({column}, '+0 days') IS {column}"
    elif declared == "DATETIME":
        # Without the parts of a second, which SQLite would round up.
        test = f"datetime(substr({column}, 1, 19), '+0 days') IS substr({column}, 1, 19)"
    elif declared == "BLOB":
        test = f"typeof({column}) = 'blob'"
    elif declared == "JSON":
        test = f"json_valid({column})"
    else:
        raise RuntimeError(f"nobody has said what a {declared} holds")
    return f"({column} IS NULL OR {test})"


def _refuse_broken(connection: sa.Connection, table: str, name: str, body: str) -> None:
    if not body.startswith("CHECK "):
        return
    query = f"SELECT count(*) FROM {table} WHERE NOT {body.removeprefix('CHECK ')}"  # noqa: S608
    broken = connection.scalar(sa.text(query))
    if broken:
        raise RuntimeError(f"{broken} rows of {table} break {name}, {body}: put them right first")


def _with(sql: str, rules: Mapping[str, str]) -> str:
    """The text of a table with further constraints."""
    head, bracket, tail = sql.rpartition(")")
    added = "".join(f", \n\tCONSTRAINT {name} {body}" for name, body in rules.items())
    return f"{head.rstrip()}{added}\n{bracket}{tail}"


def _without(sql: str, names: Mapping[str, str] | tuple[str, ...]) -> str:
    """The text of a table without some constraints."""
    for name in names:
        begin = re.search(rf",\s*CONSTRAINT {name} ", sql)
        if begin is None:
            continue
        end, depth = begin.end(), 0
        while depth or sql[end] not in ",)":
            depth += {"(": 1, ")": -1}.get(sql[end], 0)
            if sql[end] == "'":
                end = sql.index("'", end + 1)
            end += 1
        sql = sql[: begin.start()] + ("\n" if sql[end] == ")" else "") + sql[end:]
    return sql


def _sql_of(connection: sa.Connection, table: str) -> str:
    query = "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?"
    return str(connection.exec_driver_sql(query, (table,)).scalar_one())


def _make_anew(connection: sa.Connection, table: str, edited: Callable[[str], str]) -> None:
    """Make a table of SQLite anew, with all rows, from its own text as edited (sqlite.org/lang_altertable, 7)."""
    sql = edited(_sql_of(connection, table))
    query = "SELECT sql FROM sqlite_master WHERE tbl_name = ? AND type IN ('index', 'trigger') AND sql IS NOT NULL"
    others = connection.exec_driver_sql(query, (table,)).scalars().all()
    columns = connection.exec_driver_sql(f"PRAGMA table_xinfo({table})").all()
    stored = ", ".join(f'"{column.name}"' for column in columns if not column.hidden)
    new = f"new_{table}"
    # Else SQLite would look for what other tables' triggers name while it is not there.
    connection.exec_driver_sql("PRAGMA legacy_alter_table=ON")
    connection.exec_driver_sql(re.sub(rf'^CREATE TABLE "?{table}"?', f"CREATE TABLE {new}", sql))
    connection.exec_driver_sql(f"INSERT INTO {new} ({stored}) SELECT {stored} FROM {table}")  # noqa: S608
    connection.exec_driver_sql(f"DROP TABLE {table}")
    connection.exec_driver_sql(f"ALTER TABLE {new} RENAME TO {table}")
    connection.exec_driver_sql("PRAGMA legacy_alter_table=OFF")
    for other in others:
        connection.exec_driver_sql(other)
