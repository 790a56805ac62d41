"""Which parts are held back because of quarantined rows (CONTRACT section 2, level 2).

A quarantined row leads to: the part in its own ``part`` column; the part of the krav, due date,
payment or payout that it refers to, in good and quarantined rows alike (a due date refers on to its
krav, ``motpost`` is looked up in all three); and every part to which one of those keys belonged in
the last published snapshot. Every ENK of a part held back is held back too.
"""

from pathlib import Path

import duckdb

from schemas.tables import REFERRED_TO_BY, TABLES, WITH_PART
from transforms.home.snapshot import rows_sql


def hold_back(connection: duckdb.DuckDBPyConnection, previous: Path | None) -> None:
    """Creates ``held_back (part)``, and ``leads_nowhere``, the number of quarantined rows without a part.

    And ``led_to (part, gjennom, avvist)``: which rows, by ``id``, lead to each, by its owner (``gjennom``) or itself.

    Needs ``quarantined``, ``rows_*`` with all that quarantined rows refer to, and ``ledger_part``. ``previous``: the
    last published snapshot.
    """
    connection.execute(
        "CREATE TEMP TABLE row_ids AS SELECT row_number() OVER "
        "(ORDER BY tabell, noekkel, kilde, leveransenummer, fil, rad) AS id, * FROM quarantined;"
        "CREATE TEMP TABLE leads (id BIGINT, part VARCHAR); CREATE TEMP TABLE held_back (part VARCHAR)"
    )
    rows = connection.execute("SELECT count(*) FROM quarantined").fetchone()
    if rows and rows[0]:
        _follow(connection, previous)
    connection.execute(
        """
        CREATE TEMP VIEW leads_nowhere AS SELECT id FROM row_ids ANTI JOIN leads USING (id);
        CREATE TEMP VIEW led_to AS
        SELECT DISTINCT part, NULL::VARCHAR AS gjennom, id AS avvist FROM leads
        UNION ALL SELECT DISTINCT enk.part, innehaver, id FROM ledger_part AS enk JOIN leads ON leads.part = innehaver
        """
    )


def _lookup(name: str, column: str) -> str:
    """Key to ``column`` (a part, or a krav's key), over good and quarantined rows of a table."""
    key = TABLES[name].key
    return (
        f"SELECT {key} AS noekkel, {column} AS found FROM rows_{name} UNION ALL "
        f"SELECT noekkel, {column} FROM quarantined WHERE tabell = '{name}'"
    )


def _follow(connection: duckdb.DuckDBPyConnection, previous: Path | None) -> None:
    """From each row over the keys that it names to the parts.

    The row's own key is looked up in the last snapshot only: tonight's row is the row itself.
    """
    refers = " ".join(
        f"UNION ALL SELECT id, '{name}', {column}, true FROM row_ids WHERE tabell <> '{name}' AND {column} IS NOT NULL"
        for name, columns in REFERRED_TO_BY.items()
        for column in columns
    )
    connection.execute(
        f"""
        CREATE TEMP TABLE named_keys AS
        SELECT id, tabell, noekkel, false AS refers FROM row_ids WHERE noekkel IS NOT NULL {refers};
        INSERT INTO named_keys
        SELECT id, 'krav', found, true FROM named_keys
        JOIN ({_lookup("kravforfall", "kravidentifikator")}) USING (noekkel)
        WHERE refers AND tabell = 'kravforfall' AND found IS NOT NULL;
        INSERT INTO leads SELECT id, part FROM row_ids WHERE part IS NOT NULL;
        """
    )
    for name in WITH_PART:
        connection.execute(
            f"""
            INSERT INTO leads SELECT id, found FROM named_keys JOIN ({_lookup(name, "part")}) USING (noekkel)
            WHERE refers AND tabell = '{name}' AND found IS NOT NULL
            """
        )
    if previous:
        _follow_previous(connection, previous)
    connection.execute(
        """
        INSERT INTO held_back SELECT DISTINCT part FROM leads;
        INSERT INTO held_back
        SELECT DISTINCT part FROM ledger_part AS enk
        WHERE enk.innehaver IN (SELECT part FROM held_back) AND enk.part NOT IN (SELECT part FROM held_back)
        """
    )


def _follow_previous(connection: duckdb.DuckDBPyConnection, previous: Path) -> None:
    for name, table in TABLES.items():
        connection.execute(
            f"""
            INSERT INTO leads
            SELECT id, before.part FROM named_keys
            JOIN ({rows_sql(previous, name)}) AS before ON before.{table.key} = named_keys.noekkel
            WHERE named_keys.tabell = '{name}'
            """
        )
