"""Whether the database is read in the home that its views read: they hold absolute paths, which a copy keeps.

A query cannot tell a view where its file lies, but ``duckdb_databases()`` tells with which path each file was opened,
absolute in every DuckDB from 1.0 on; in 2.0 with links followed. Nor which of them is its own: so each is marked with
its home, and all that have the mark must lie there.
"""

from pathlib import Path

from transforms.home.sql import sql_text

MOST_UP = 8
"""How many ``..`` a path may have: one with more is taken for another's."""

AT_HOME = "intern.er_hjemme()"
"""A condition of each view that reads files: true, or an error that says which home they are of. Some 1 ms a view."""


def at_home_mark(home: Path) -> str:
    """Marks the database as one of the home. It must have ``intern.natt``."""
    return f"COMMENT ON TABLE intern.natt IS {sql_text(home)}"


def at_home_macro(home: Path) -> str:
    """The macro ``AT_HOME``. The home is known by its own path, with no link in it: one can be led to a copy."""
    here = f"starts_with({as_opened('path')}, {sql_text(f'{home.resolve()}/')})"
    told = sql_text(f", read the home {home}. If it was copied or moved: the next night's database reads the new one")
    return f"""
        CREATE MACRO {AT_HOME} AS (
          SELECT CASE WHEN bool_and({here}) THEN true
                 ELSE error(concat('the views of this database, opened as ', string_agg(path, ', '), {told})) END
          FROM duckdb_databases() WHERE database_oid IN (
            SELECT database_oid FROM duckdb_tables()
            WHERE schema_name = 'intern' AND table_name = 'natt' AND comment = {sql_text(home)}))"""


def as_opened(path: str) -> str:
    """An absolute path without ``.``, ``..`` and doubled slashes, as SQL: old clients tell it as it was written."""
    path = f"regexp_replace({path}, '/([.]?/)+', '/', 'g')"
    for _ in range(MOST_UP):
        path = f"regexp_replace({path}, '/[^/]+/[.][.]/', '/')"
    return path
