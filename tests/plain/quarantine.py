"""One night: from what the sources say to held-back parts and what is published (section 2)."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.plain.balances import Kravtyper, Rates, Rows
from tests.plain.deliveries import Delivery, Number, RawRow, in_force, read_inbox
from tests.plain.held_back import KeyTable, Leads
from tests.plain.ledger import PartDocuments, part_documents
from tests.plain.posts import Books, Key, Quarantined, checked_books, motpost_table, standing_rows

OSLO = ZoneInfo("Europe/Oslo")


@dataclass(frozen=True)
class Published:
    """A published snapshot: what it shows, and what the next night needs of it."""

    snapshot_date: date
    documents: dict[str, PartDocuments]
    keys: KeyTable
    accepted: dict[Number, Delivery]
    used: dict[str, Delivery]  # per source, its last used delivery
    in_part: frozenset[str]  # every number that a row in ``part`` has, quarantined ones included
    said: Counter[tuple[str, str]]  # rows by source and table

    @property
    def extracted_at(self) -> datetime:
        """The oldest extract among the sources' last used deliveries."""
        return min(delivery.uttrekkstidspunkt for delivery in self.used.values())

    def answer(self, part: str) -> str:
        """``documents``, or the code that a request for this part's overview gets."""
        if part in self.documents:
            return "documents"
        return "KB-002" if part in self.in_part else "KB-009"


@dataclass(frozen=True)
class Night:
    """What one night makes of the deliveries, before it is published."""

    snapshot_date: date
    chains: dict[str, list[Delivery]]  # per source, the deliveries in force
    changed: set[Number]  # accepted before, now in the inbox with another manifest: refused
    said: list[RawRow]  # every row that the sources say, removed ones apart
    accepted: Rows
    accepted_rows: int  # a post from n sources counted n times
    shared: set[Key]  # posts from more than one source
    quarantined: list[Quarantined]
    held_back: set[str]
    leading_nowhere: int  # quarantined rows that lead to no part
    share: Fraction | None  # None: something is held back and no part is accepted
    documents: dict[str, PartDocuments]  # newly built, of the parts that are not held back

    @property
    def held_back_count(self) -> int:
        return len(self.held_back) + self.leading_nowhere


def night(
    inbox: Path | Mapping[Number, Delivery],
    snapshot_date: date,
    rates: Rates,
    kravtyper: Kravtyper,
    previous: Published | None = None,
    refused: Collection[Number] = (),
) -> Night:
    """One night over an inbox, or over deliveries already read; ``refused`` fail as a whole (level 1)."""
    accepted_before = previous.accepted if previous else {}
    chains = in_force(_available(inbox, accepted_before, refused).values())
    said = [row for chain in chains.values() for row in standing_rows(chain)]
    books = checked_books(said)
    leads = Leads(said, previous.keys if previous else {})
    led_to = [leads.parts_of_row(entry.row) for entry in books.quarantined]
    held_back = with_owned_enk(books, set().union(*led_to))
    leading_nowhere = sum(not parts for parts in led_to)
    rows = books.rows()
    built = part_documents(rows, snapshot_date, rates, kravtyper)
    posts = [post for table in books.posts.values() for post in table.values()]
    return Night(
        snapshot_date=snapshot_date,
        chains=chains,
        changed=_changed(inbox, accepted_before),
        said=said,
        accepted=rows,
        accepted_rows=sum(len(post.rows) for post in posts),
        shared={(post.table, post.key) for post in posts if len(post.rows) > 1},
        quarantined=books.quarantined,
        held_back=held_back,
        leading_nowhere=leading_nowhere,
        share=_share(len(held_back) + leading_nowhere, len(rows["part"])),
        documents={part: shown for part, shown in built.items() if part not in held_back},
    )


def _available(
    inbox: Path | Mapping[Number, Delivery], accepted: dict[Number, Delivery], refused: Collection[Number]
) -> dict[Number, Delivery]:
    """Good deliveries of the inbox, and the accepted copies in place of theirs."""
    if isinstance(inbox, Path):
        new = read_inbox(inbox, {*refused, *accepted})
    else:
        new = {number: delivery for number, delivery in inbox.items() if number not in refused}
    return {**new, **accepted}


def _changed(inbox: Path | Mapping[Number, Delivery], accepted: dict[Number, Delivery]) -> set[Number]:
    return {
        number for number, delivery in accepted.items() if _manifest(inbox, number) not in (None, delivery.manifest)
    }


def _manifest(inbox: Path | Mapping[Number, Delivery], number: Number) -> bytes | None:
    if not isinstance(inbox, Path):
        return inbox[number].manifest if number in inbox else None
    path = inbox / number[0] / f"{number[1]:06d}" / "manifest.json"
    return path.read_bytes() if path.exists() else None


def with_owned_enk(books: Books, parts: set[str]) -> set[str]:
    """These parts and every ENK that one of them owns."""
    return parts | {post.key for post in books["part"] if post.values["innehaver"] in parts}


def _share(count: int, accepted_parts: int) -> Fraction | None:
    if accepted_parts == 0:
        return None if count else Fraction(0)
    return Fraction(count, accepted_parts)


def stops(
    this: Night,
    previous: Published | None = None,
    largest_share: Fraction = Fraction(1, 100),
    most_days: int = 3,
    largest_loss: Fraction = Fraction(1, 5),
) -> list[str]:
    """Why the run would stop before publishing (level 3); empty when it would not."""
    reasons = []
    if this.share is None or this.share > largest_share:
        reasons.append("too large a share is held back")
    for kilde, chain in this.chains.items():
        extracted = chain[-1].uttrekkstidspunkt.astimezone(OSLO).date()
        if (this.snapshot_date - extracted).days > most_days:
            reasons.append(f"too old an extract: {kilde}")
    for kilde in sorted(set(previous.used if previous else {}) - set(this.chains)):
        reasons.append(f"nothing to use any longer: {kilde}")
    for (kilde, table), rows in sorted(previous.said.items()) if previous else []:
        if kilde in this.chains and rows - _counted(this.said)[kilde, table] > largest_loss * rows:
            reasons.append(f"too many rows gone: {kilde} {table}")
    return reasons


def _counted(said: list[RawRow]) -> Counter[tuple[str, str]]:
    return Counter((row.kilde, row.table) for row in said)


def publish(this: Night, previous: Published | None = None) -> Published:
    """The snapshot after this night: held-back parts keep what they had, all others are replaced."""
    kept = {part for part in this.held_back if previous and part in previous.documents}
    old_documents = {part: previous.documents[part] for part in kept} if previous else {}
    used = {delivery.number: delivery for chain in this.chains.values() for delivery in chain}
    return Published(
        snapshot_date=this.snapshot_date,
        documents={**old_documents, **this.documents},
        keys=_key_table(this, kept, previous),
        accepted={**(previous.accepted if previous else {}), **used},
        used={kilde: chain[-1] for kilde, chain in this.chains.items()},
        in_part=frozenset(str(row.key) for row in this.said if row.table == "part" and row.key),
        said=_counted(this.said),
    )


def _key_table(this: Night, kept: set[str], previous: Published | None) -> KeyTable:
    """Keys of the newly built parts' posts, and of the kept parts' as they were."""
    keys: dict[Key, set[str]] = defaultdict(set)
    for key, part in _owned_keys(this.accepted):
        if part in this.documents:
            keys[key].add(part)
    for key, parts in previous.keys.items() if previous else []:
        if parts & kept:
            keys[key] |= parts & kept
    return {key: frozenset(parts) for key, parts in keys.items()}


def _owned_keys(rows: Rows) -> list[tuple[Key, str]]:
    """Every post's key with its part; a placement's with the parts of both its ends."""
    part_of: dict[Key, str] = {}
    for table, column in (
        ("krav", "kravidentifikator"),
        ("innbetaling", "innbetalingsidentifikator"),
        ("utbetaling", "utbetalingsidentifikator"),
    ):
        part_of |= {(table, row[column]): row["part"] for row in rows[table]}
    for row in rows["kravforfall"]:
        part_of["kravforfall", row["kravforfallsidentifikator"]] = part_of["krav", row["kravidentifikator"]]
    placed = []
    for row in rows["plassering"]:
        key = ("plassering", row["plasseringsidentifikator"])
        placed.append((key, part_of["kravforfall", row["kravforfallsidentifikator"]]))
        placed.append((key, part_of[motpost_table(row), row["motpost"]]))
    return [*part_of.items(), *placed]
