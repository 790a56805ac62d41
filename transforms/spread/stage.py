"""The stage ``spread``: whose documents are made tonight, and how; the posts of those built, in buckets."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import duckdb

from schemas.receipts import AcceptReceipt, CheckReceipt, SpreadReceipt, Totals
from schemas.report import SpreadCounts
from schemas.snapshot import beyond, failing_columns
from transforms.home.report import StoppedError
from transforms.home.snapshot import HELD_BACK, QUARANTINED, read_manifest
from transforms.home.sql import sql_text
from transforms.ledgers.connection import ledgers
from transforms.ledgers.good import show_good
from transforms.ledgers.link_files import LinkFiles
from transforms.ledgers.links import links_of
from transforms.ledgers.neighbourhood import (
    look_around_parts,
    look_at_everything,
    look_there_again,
    near_files,
    suffices_for,
)
from transforms.ledgers.row_files import RowFile, all_files
from transforms.rules import reference
from transforms.run import Settings
from transforms.spread.affected import Chosen, everyone, hold_chosen, show_previous, those_affected
from transforms.spread.buckets import Buckets, bucket_count
from transforms.spread.expected import of_built, of_redated
from transforms.spread.files import write_buckets


def spread(run: Settings, accepted: AcceptReceipt, checked: CheckReceipt) -> SpreadReceipt:
    """Chooses, spreads, and adds up what the documents must say. Raises ``StoppedError``: nothing is made of a night
    that may not publish.
    """
    if reasons := accepted.stops + checked.stops:
        raise StoppedError(reasons)
    previous = run.previous()
    if checked.all_because or previous is None:
        with _posts(run, accepted, look_at_everything) as connection:
            files = all_files(run.deliveries, accepted.used)
            done = _spread(connection, run, accepted, files, LinkFiles(run.links), everyone(connection))
    else:
        done = _spread_affected(run, accepted, previous)
    return done.model_copy(update={"counts": done.counts.model_copy(update={"all_because": checked.all_because})})


def _spread_affected(run: Settings, accepted: AcceptReceipt, previous: Path) -> SpreadReceipt:
    done = None
    with _posts(run, accepted, partial(look_there_again, near=run.near)) as connection:
        links = LinkFiles(run.links)
        links.show(connection)
        chosen = _choose(connection, run, accepted, previous)
        if suffices_for(connection, chosen.to_build, run.near):
            done = _spread(connection, run, accepted, near_files(run.near), links, chosen)
    if done is None:
        with _posts(run, accepted, partial(look_around_parts, parts=chosen.to_build)) as connection:
            links = LinkFiles(run.work / "spread" / "links")
            for name, rows in links_of(connection).items():
                links.write(name, rows)
            files = all_files(run.deliveries, accepted.used)
            done = _spread(connection, run, accepted, files, links, chosen)
    if chosen.to_redate.is_empty():
        return done
    redated = _totals_of_redated(run, accepted, previous, chosen)
    return done.model_copy(update={"expected": {name: n + redated.get(name, 0) for name, n in done.expected.items()}})


def _choose(connection: duckdb.DuckDBPyConnection, run: Settings, accepted: AcceptReceipt, previous: Path) -> Chosen:
    manifest = read_manifest(previous)
    changes = beyond(accepted.in_force, manifest.used)
    dates = manifest.snapshotdato, run.snapshot_date
    return those_affected(connection, previous, run.deliveries, changes, reference.read_rates(run.rates), dates)


@contextlib.contextmanager
def _posts(
    run: Settings, accepted: AcceptReceipt, look: Callable[[duckdb.DuckDBPyConnection], None]
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the good posts among the rows that ``look`` shows, and what ``check`` found."""
    with ledgers(run, accepted.used) as connection:
        connection.execute(f"CREATE TEMP VIEW held_back AS FROM read_parquet({sql_text(run.checked / HELD_BACK)})")
        connection.execute(f"CREATE TEMP VIEW quarantined AS FROM read_parquet({sql_text(run.checked / QUARANTINED)})")
        look(connection)
        show_good(connection, run.checked)
        yield connection


def _spread(
    connection: duckdb.DuckDBPyConnection,
    run: Settings,
    accepted: AcceptReceipt,
    files: Mapping[str, Sequence[RowFile]],
    links: LinkFiles,
    chosen: Chosen,
) -> SpreadReceipt:
    hold_chosen(connection, chosen)
    count = bucket_count(chosen.to_build.height)
    buckets = Buckets(links, chosen.to_build, count)
    kravtyper = reference.read_kravtyper(run.kravtyper)
    with ThreadPoolExecutor(1) as beside:  # the totals need no rows but the links, and leave a core to the rows
        expected = beside.submit(of_built, links, buckets)
        write_buckets(files, links, buckets, run.posts, kravtyper, failing_columns(accepted.in_force))
    connection.sql(_WAYS).pl().write_parquet(run.parts)
    good = connection.execute("SELECT count(*) FROM good_part").fetchall()[0][0]
    counts = SpreadCounts(
        buckets=count, parts=chosen.to_build.height, redated_parts=chosen.to_redate.height, of=int(good)
    )
    return SpreadReceipt(expected=expected.result(), counts=counts)


_WAYS = """
    WITH ways AS (
      SELECT part, 'build' AS way FROM to_build UNION ALL SELECT part, 'redate' FROM to_redate
      UNION ALL SELECT part, 'held back' FROM held_back
      UNION ALL SELECT part, 'same' FROM good_part
        ANTI JOIN to_build USING (part) ANTI JOIN to_redate USING (part) ANTI JOIN held_back USING (part)),
    known AS (
      SELECT part FROM ledger_part
      UNION SELECT noekkel FROM ledger_refused WHERE tabell = 'part' AND noekkel IS NOT NULL)
    SELECT part, way, known.part IS NOT NULL AS known FROM ways FULL JOIN known USING (part)"""
"""Every part that is in ``part``, quarantined rows included, or held back; and how it comes by its documents."""


def _totals_of_redated(run: Settings, accepted: AcceptReceipt, previous: Path, chosen: Chosen) -> Totals:
    with ledgers(run, accepted.used) as connection:
        look_at_everything(connection)
        show_good(connection, run.checked)
        show_previous(connection, previous)
        hold_chosen(connection, chosen)
        return of_redated(connection)
