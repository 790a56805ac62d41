"""The stage ``check``: good posts, quarantined rows and the parts that they hold back (level 2)."""

from pathlib import Path

import duckdb

from schemas.receipts import AcceptReceipt, CheckReceipt
from schemas.report import CheckCounts
from schemas.snapshot import beyond
from schemas.tables import TABLES
from transforms import stops
from transforms.check.findings import quarantined_findings, refused_rows
from transforms.check.held_back import hold_back
from transforms.check.posts import check_posts, count_posts, count_said, said_twice
from transforms.check.reported import (
    refused_by_source,
    reported_of_deliveries,
    reported_of_held_back,
    reported_of_missed,
    reported_of_posts,
    reported_of_rates,
)
from transforms.check.said import said_before
from transforms.home import retained
from transforms.home.report import StoppedError, by_code, delivered_files
from transforms.home.snapshot import FINDINGS, HELD_BACK, LED_TO, QUARANTINED, REFUSED_ROWS, SAME, read_manifest
from transforms.ledgers.changes import why_all
from transforms.ledgers.connection import ledgers
from transforms.ledgers.good import hand_over_refused
from transforms.ledgers.link_files import LinkFiles
from transforms.ledgers.neighbourhood import hand_over_near, look_around_changes, look_at_everything
from transforms.rules import reference
from transforms.run import Settings


def check(run: Settings, accepted: AcceptReceipt) -> CheckReceipt:
    """Checks the rows that tonight must look at. Raises ``StoppedError`` when there is no source."""
    if not accepted.used:
        raise StoppedError(accepted.stops)
    run.checked.mkdir(parents=True)
    previous = run.previous()
    manifest = read_manifest(previous) if previous else None
    because = why_all(manifest, accepted.night.made_with, accepted.in_force, accepted.lost) or ""
    because = "asked for" if run.full else because
    with ledgers(run, accepted.used) as connection:
        if previous is None or manifest is None or because:
            look_at_everything(connection)
        else:
            look_around_changes(connection, previous, run.deliveries, beyond(accepted.in_force, manifest.used))
            hand_over_near(connection, run.near)
        check_posts(connection, LinkFiles(run.links).write)
        hold_back(connection, previous)
        _hand_over(connection, accepted, run.checked)
        return _receipt(connection, run, accepted, because)


def _hand_over(connection: duckdb.DuckDBPyConnection, accepted: AcceptReceipt, out: Path) -> None:
    hand_over_refused(connection, out)
    for name, query in {
        HELD_BACK: "FROM held_back",
        QUARANTINED: "SELECT DISTINCT tabell, noekkel FROM quarantined WHERE noekkel IS NOT NULL",
        SAME: said_twice(),
        LED_TO: "FROM led_to",
    }.items():
        connection.sql(f"FROM ({query}) ORDER BY ALL").pl().write_parquet(out / name)
    quarantined_findings(connection, delivered_files(accepted.in_force)).write_parquet(out / FINDINGS)
    refused_rows(connection).write_parquet(out / REFUSED_ROWS)


def _receipt(
    connection: duckdb.DuckDBPyConnection, run: Settings, accepted: AcceptReceipt, because: str
) -> CheckReceipt:
    """What was found, counted; and what of it stops the night."""

    def one(query: str) -> int:
        return int(connection.execute(query).fetchall()[0][0])

    said = count_said(connection, accepted.used)
    rows = {name: sum(tables[name] for tables in said.values()) for name in TABLES}
    counts = {name: count_posts(connection, table, rows[name]) for name, table in TABLES.items()}
    codes = connection.sql(
        "SELECT kode, count(*) AS rader FROM (SELECT unnest(koder) AS kode FROM quarantined) GROUP BY ALL"
    ).fetchall()
    held_back, nowhere = one("SELECT count(*) FROM held_back"), one("SELECT count(*) FROM leads_nowhere")
    held, parts, by = held_back + nowhere, one("SELECT count(*) FROM good_part"), refused_by_source(connection)
    stopped = stops.too_many_held_back(held, parts, run.max_held_back, by)
    earlier = retained.before(run.path, run.snapshot_date)
    reports = [
        *reported_of_posts(connection, reference.read_kravtyper(run.kravtyper)),
        *reported_of_deliveries(accepted.in_force, accepted.accepted, run.snapshot_date),
        *reported_of_missed(accepted, read_manifest(earlier) if earlier else None, run.snapshot_date),
        *reported_of_rates(reference.read_rates(run.rates), run.snapshot_date),
        *([] if stopped else reported_of_held_back(held, parts, run.warn_held_back, by)),
    ]
    counted = CheckCounts(
        rows={name: count.said for name, count in counts.items()},
        posts={name: count.posts for name, count in counts.items()},
        quarantined=one("SELECT count(*) FROM quarantined"),
        quarantined_by_code=dict(sorted(codes)),
        reported_by_code=by_code(reports, 0),
        held_back=held_back,
        leads_nowhere=nowhere,
        from_two_sources=sum(one(f"SELECT count(*) FROM same_{name}") for name in TABLES),
    )
    return CheckReceipt(
        said=said,
        rows={
            "said": sum(count.said for count in counts.values()),
            "accepted": sum(count.accepted for count in counts.values()),
            "quarantined": counted.quarantined,
        },
        all_because=because,
        reports=reports,
        counts=counted,
        stops=[*stops.shrunk_sources(accepted.used, said, said_before(run), run.max_loss), *stopped],
    )
