"""The other checks of section 2, level 2: keys, parts, claims and placements, in that order."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal

from tests.plain.balances import ZERO, Row, Rows
from tests.plain.columns import TABLES
from tests.plain.deliveries import Delivery, RawRow
from tests.plain.values import BadValueError, typed_row

Key = tuple[str, str]
"""A table and a key in it."""


@dataclass(frozen=True)
class Quarantined:
    """A refused row, the check that refused it and why."""

    row: RawRow
    stage: str  # values, keys, parts, claims or placements
    reason: str


@dataclass(eq=False)
class Post:
    """What one or more sources say under one key."""

    table: str
    key: str
    values: Row
    rows: list[RawRow]


@dataclass
class Books:
    """The posts that are still good, and the rows that are not."""

    posts: dict[str, dict[str, Post]] = field(default_factory=lambda: {name: {} for name in TABLES})
    quarantined: list[Quarantined] = field(default_factory=list)

    def refuse(self, post: Post, stage: str, reason: str) -> None:
        del self.posts[post.table][post.key]
        self.quarantined += [Quarantined(row, stage, reason) for row in post.rows]

    def rows(self) -> Rows:
        return {name: [post.values for post in posts.values()] for name, posts in self.posts.items()}

    def __getitem__(self, table: str) -> list[Post]:
        return list(self.posts[table].values())


def standing_rows(chain: Iterable[Delivery]) -> list[RawRow]:
    """What one source says: per key the rows of the latest delivery that names it; removed ones apart.

    A row without a key stands as long as the chain does. A removal whose key its own delivery names
    again is no removal: it stands, with nothing but its key, and is refused with the other.
    """
    keyless: list[RawRow] = []
    by_key: dict[Key, list[RawRow]] = {}
    for delivery in chain:
        named: dict[Key, list[RawRow]] = defaultdict(list)
        for row in map(_only_key_of_removal, delivery.rows):
            if row.key is None:
                keyless.append(row)
            else:
                named[row.table, row.key].append(row)
        by_key |= named
    said = [rows for rows in by_key.values() if not (len(rows) == 1 and rows[0].removes)]
    return keyless + [row for rows in said for row in rows]


def _only_key_of_removal(row: RawRow) -> RawRow:
    if not row.removes:
        return row
    return replace(row, cells={TABLES[row.table].key: row.key, "slettet": "true"})


def checked_books(rows: list[RawRow]) -> Books:
    """All checks, once, in order, each over what the earlier ones left."""
    books = Books()
    good = _check_values(books, rows)
    _check_keys(books, rows, good)
    _check_parts(books)
    _check_claims(books)
    _check_placement_ends(books)
    _check_placed_amounts(books)
    return books


def _check_values(books: Books, rows: list[RawRow]) -> dict[RawRow, Row]:
    good = {}
    for row in rows:
        try:
            good[row] = typed_row(row)
        except BadValueError as error:
            books.quarantined.append(Quarantined(row, "values", str(error)))
    return good


def _check_keys(books: Books, rows: list[RawRow], good: dict[RawRow, Row]) -> None:
    by_key: dict[Key, list[RawRow]] = defaultdict(list)
    for row in rows:
        if row.key is not None:
            by_key[row.table, row.key].append(row)
    for (table, key), same_key in by_key.items():
        reasons = list(_key_problems(same_key, good))
        if not any(reasons):
            books.posts[table][key] = Post(table, key, good[same_key[0]], same_key)
        for row, reason in zip(same_key, reasons, strict=True):
            if row in good and reason is not None:
                books.quarantined.append(Quarantined(row, "keys", reason))


def _key_problems(same_key: list[RawRow], good: dict[RawRow, Row]) -> Iterator[str | None]:
    """For each row of one key, what is wrong with its key; either for all of them or for none."""
    per_source = Counter(row.kilde for row in same_key)
    for row in same_key:
        if per_source[row.kilde] > 1:
            yield "a key in two rows of one delivery"
        elif row not in good:
            yield "refused by its values"
        elif max(per_source.values()) > 1 or any(other not in good for other in same_key):
            yield "the key is refused in another source"
        elif any(good[other] != good[row] for other in same_key):
            yield "the key has other content in another source"
        else:
            yield None


def _check_parts(books: Books) -> None:
    parts = books.posts["part"]
    persons = {post.key for post in books["part"] if post.values["parttype"] == "PERSON"}
    for post in books["part"]:
        if post.values["parttype"] == "ENK" and post.values["innehaver"] not in persons:
            books.refuse(post, "parts", "the owner is not an accepted person")
    for table in ("krav", "innbetaling", "utbetaling"):
        for post in books[table]:
            if post.values["part"] not in parts:
                books.refuse(post, "parts", "the part is not accepted")


def _check_claims(books: Books) -> None:
    due_dates: dict[str, list[Post]] = defaultdict(list)
    for due in books["kravforfall"]:
        if due.values["kravidentifikator"] in books.posts["krav"]:
            due_dates[due.values["kravidentifikator"]].append(due)
        else:
            books.refuse(due, "claims", "a due date without its krav")
    for krav in books["krav"]:
        problem = _claim_problem(krav, due_dates[krav.key])
        if problem:
            for post in (krav, *due_dates[krav.key]):
                books.refuse(post, "claims", problem)


def _claim_problem(krav: Post, due_dates: list[Post]) -> str | None:
    amount = krav.values["opprinnelig_beloep"]
    amounts = [due.values["opprinnelig_beloep"] for due in due_dates]
    if not amounts:
        return "a krav with no due dates"
    if sum(amounts, ZERO) != amount:
        return "the due dates do not sum to the krav"
    if any(amount > 0 > other or amount < 0 < other for other in amounts):
        return "a due date of the opposite sign"
    return None


def _check_placement_ends(books: Books) -> None:
    for post in books["plassering"]:
        problem = _end_problem(books, post.values)
        if problem:
            books.refuse(post, "placements", problem)


def _end_problem(books: Books, values: Row) -> str | None:
    due = books.posts["kravforfall"].get(values["kravforfallsidentifikator"])
    motpost = books.posts[motpost_table(values)].get(values["motpost"])
    if due is None or motpost is None:
        return "an end that is not there"
    is_credit = due.values["opprinnelig_beloep"] < 0
    if is_credit != (values["plasseringstype"] == "UTBETALING"):
        return "the due date is of the wrong kind"
    if values["plasseringstype"] == "MOTKRAV" and motpost.values["opprinnelig_beloep"] >= 0:
        return "the motkrav is not a credit"
    return None


def motpost_table(values: Row) -> str:
    """The table that a placement's motpost lies in."""
    tables = {"INNBETALING": "innbetaling", "MOTKRAV": "kravforfall", "UTBETALING": "utbetaling"}
    return tables[values["plasseringstype"]]


def _ends(placement: Post) -> tuple[Key, Key]:
    values = placement.values
    return (
        ("kravforfall", values["kravforfallsidentifikator"]),
        (motpost_table(values), values["motpost"]),
    )


def _check_placed_amounts(books: Books) -> None:
    placed: dict[Key, Decimal] = defaultdict(Decimal)
    for post in books["plassering"]:
        for end in _ends(post):
            placed[end] += post.values["plassert_beloep"]
    too_much = {end for end, amount in placed.items() if amount > _amount(books, end)}
    for post in books["plassering"]:
        if too_much & set(_ends(post)):
            books.refuse(post, "placements", "more is placed than the amount")


def _amount(books: Books, end: Key) -> Decimal:
    """What can be placed on or from a post."""
    table, key = end
    return abs(books.posts[table][key].values[TABLES[table].amount])
