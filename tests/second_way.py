"""What ``docs/analytics.md`` answers, reckoned a second way: in plain Python, from the published documents and the
delivered files. Nothing here asks DuckDB; a number's function is the question's.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import cache, cached_property
from math import floor
from pathlib import Path
from typing import Any

import polars as pl

from tests.nights import S
from tests.plain.balances import rate_days
from tests.plain.columns import TABLES

Row = dict[str, Any]
REFERENCE = Path(__file__).resolve().parent.parent / "data" / "reference"
BANDS = [(0, "ikke forfalt"), (30, "1-30"), (90, "31-90"), (180, "91-180"), (365, "181-365"), (10**6, "over 365")]


def day(moment: str) -> date:
    return date.fromisoformat(moment[:10])


def band(days: int) -> str:
    return next(name for most, name in BANDS if days <= most)


def grouped(rows: Iterable[Row], by: Callable[[Row], Any], *sums: Callable[[Row], Any]) -> list[tuple[Any, ...]]:
    """For each key in order: it, and the sums."""
    found: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        found[by(row)].append(row)
    return [(key, *(sum(map(one, found[key])) for one in sums)) for key in sorted(found)]


def one(_: Row) -> int:
    return 1


class Sample:
    """A home of one full night over an inbox, as its documents and its deliveries have it."""

    def __init__(self, inbox: Path, documents: dict[str, dict[str, str]]) -> None:
        self.inbox, self._documents = inbox, documents

    # what was delivered

    def delivered(self, table: str) -> list[Row]:
        """Each with its ``kilde``, ``fil`` and ``rad``."""
        return self._delivered[table]

    @cached_property
    def _delivered(self) -> dict[str, list[Row]]:
        found: dict[str, list[Row]] = {name: [] for name in TABLES}
        for path in sorted(self.inbox.glob("*/000001/*.parquet")):
            rows = pl.read_parquet(path).to_dicts()
            place = {"kilde": path.parent.parent.name, "fil": path.name}
            found[path.name.partition("-")[0]] += [{**row, **place, "rad": n} for n, row in enumerate(rows, start=1)]
        return found

    def by_key(self, table: str) -> dict[str, Row]:
        return {row[TABLES[table].key]: row for row in self.delivered(table)}

    @cached_property
    def parts(self) -> dict[str, Row]:
        return self.by_key("part")

    def household(self, part: str) -> str:
        return self.parts[part]["innehaver"] or part

    @cached_property
    def placed(self) -> list[Row]:
        """Placements with the two ends' rows: ``due``, and ``payment`` of one."""
        dues, payments = self.by_key("kravforfall"), self.by_key("innbetaling")
        ends = [(row, dues[row["kravforfallsidentifikator"]], payments.get(row["motpost"])) for row in self._placements]
        return [{**row, "due": due, "payment": payment} for row, due, payment in ends]

    @property
    def _placements(self) -> list[Row]:
        return self.delivered("plassering")

    def whose(self, due: Row) -> str:
        return self._krav[due["kravidentifikator"]]["part"]

    @cached_property
    def _krav(self) -> dict[str, Row]:
        return self.by_key("krav")

    @cached_property
    def rates(self) -> list[tuple[date, Decimal]]:
        rows = pl.read_csv(REFERENCE / "forsinkelsesrente.csv", infer_schema=False).rows()
        return [(day(first), Decimal(sats)) for first, sats in rows]

    @cached_property
    def without_interest(self) -> set[str]:
        rows = pl.read_csv(REFERENCE / "kravtyper.csv", infer_schema=False).to_dicts()
        return {row["kravtype"] for row in rows if row["renteberegnes"] == "false"}

    # what is shown

    def documents(self, kind: str) -> dict[str, Any]:
        return self._parsed[kind]

    @cached_property
    def _parsed(self) -> dict[str, dict[str, Any]]:
        kinds = ("oversikt", "krav", "innbetalinger", "utbetalinger")
        return {
            kind: {part: json.loads(of[kind], parse_float=Decimal) for part, of in self._documents.items()}
            for kind in kinds
        }

    @cached_property
    def krav(self) -> list[Row]:
        """Each once, in the document of whose it is."""
        documents = self.documents("krav").items()
        return [krav for part, document in documents for krav in document["krav"] if krav["part"] == part]

    @cached_property
    def dues(self) -> list[Row]:
        """Due dates, with their krav."""
        return [
            {
                **due,
                "krav": krav,
                "part": krav["part"],
                "day": day(due["forfallsdato"]),
                "rest": due["gjenstaaendeBeloep"],
            }
            for krav in self.krav
            for due in krav["kravforfall"]
        ]

    @cached_property
    def debits(self) -> list[Row]:
        """Of which something remains."""
        return [due for due in self.dues if due["rest"] > 0]

    @cached_property
    def payments(self) -> list[Row]:
        documents = self.documents("innbetalinger").items()
        return [paid for part, document in documents for paid in document["innbetaling"] if paid["part"] == part]

    @cache  # noqa: B019 (a sample lives as long as its tests)
    def _rate_days(self, after: date, through: date, added: Decimal) -> Fraction:
        return rate_days([(first, sats + added) for first, sats in self.rates], after, through)

    def interest(self, due: Row, through: date = S, added: Decimal = Decimal(0)) -> int:
        """CONTRACT section 3, in fractions."""
        if due["rest"] <= 0 or due["day"] >= through or due["krav"]["kravtype"] in self.without_interest:
            return 0
        kroner = floor(Fraction(due["rest"]) * self._rate_days(due["day"], through, added) / 36_500)
        return kroner if kroner >= 50 else 0

    def parttype(self, due: Row) -> str:
        return self.parts[due["part"]]["parttype"]


def rest(row: Row) -> Decimal:
    return row["rest"]


def gruppe(due: Row) -> str:
    return due["krav"]["kravgruppe"]


def placed_beloep(row: Row) -> Decimal:
    return row["plassert_beloep"]


def q1(s: Sample) -> list[tuple[Any, ...]]:
    owed = grouped(s.debits, s.parttype, rest)
    parts = {kind: len({due["part"] for due in s.debits if s.parttype(due) == kind}) for kind, _ in owed}
    renter = dict(grouped(s.krav, s.parttype, lambda krav: krav["stipulerteRenter"]))
    return [(kind, parts[kind], amount, renter[kind]) for kind, amount in owed]


def q2(s: Sample) -> list[tuple[Any, ...]]:
    """A household of one has its overview; an owner's ENKs add their own posts to the owner's."""
    found: dict[str, list[Any]] = {s.household(part): [0, Decimal(0), Decimal(0), Decimal(0)] for part in s.parts}
    for part in s.parts:
        found[s.household(part)][0] += 1
    for due in s.dues:
        of = found[s.household(due["part"])]
        of[1] += due["rest"] if due["day"] < S else 0
        of[3] += due["rest"]
    for krav in s.krav:
        found[s.household(krav["part"])][3] += krav["stipulerteRenter"]
    for paid in s.payments:
        for place in (2, 3):
            found[s.household(paid["part"])][place] += paid["uplassertBeloep"]
    return sorted(((name, *of) for name, of in found.items()), key=lambda row: (-row[-1], row[0]))[:5]


def q3(s: Sample) -> list[tuple[Any, ...]]:
    document = s.documents("oversikt")["363471331"]
    names = ("kravgruppe", "forfalteKrav", "ikkeForfalteKrav", "stipulerteRenter", "saldo")
    saldo = document["totalOversikt"]["saldo"]
    return [(*(group[name] for name in names), saldo) for group in document["oversiktPerKravgruppe"]]


def q4(s: Sample) -> list[tuple[Any, ...]]:
    columns = [{"ikke forfalt"}, {"1-30", "31-90"}, {"91-180", "181-365"}, {"over 365"}]
    found: dict[str, list[Any]] = {gruppe(due): [None] * 4 for due in s.debits}
    for due in s.debits:
        place = next(n for n, bands in enumerate(columns) if band((S - due["day"]).days) in bands)
        found[gruppe(due)][place] = (found[gruppe(due)][place] or 0) + due["rest"]
    return [(name, *found[name]) for name in sorted(found)]


def q5(s: Sample) -> list[tuple[Any, ...]]:
    soon = [due for due in s.debits if 0 <= (due["day"] - S).days <= 30]
    return grouped(soon, lambda due: due["day"] - timedelta(days=due["day"].weekday()), one, rest)


def q6(s: Sample) -> list[tuple[Any, ...]]:
    overdue = [due for due in s.debits if due["day"] < S]
    return grouped(overdue, lambda due: due["utsattIverksettelse"], one, rest)


def q7(s: Sample) -> list[tuple[Any, ...]]:
    """The delivered period says the term: two months of 2026."""
    found = []
    for krav in s.krav:
        start, end = (s._krav[krav["kravidentifikator"]][name] for name in ("periode_start", "periode_slutt"))
        if krav["kravgruppe"] == "Merverdiavgift" and krav["opprinneligBeloep"] > 0 and start and start.year == 2026:
            months = (end + timedelta(days=1)).month - start.month
            if months % 12 == 2 and start.day == 1 and start.month % 2:
                found.append({**krav, "termin": f"2026-T{(start.month + 1) // 2}"})
    sums = (lambda krav: krav["opprinneligBeloep"], lambda krav: krav["gjenstaaendeBeloep"])
    return grouped(found, lambda krav: krav["termin"], one, *sums)


def q8(s: Sample) -> list[tuple[Any, ...]]:
    due = next(due for due in s.dues if due["kravforfallsIdentifikator"] == "F69218488")
    assert s.interest(due) == due["krav"]["stipulerteRenter"]
    found = []
    for place, (first, sats) in enumerate(s.rates):
        until = s.rates[place + 1][0] - timedelta(days=1) if place + 1 < len(s.rates) else S
        first, until = max(first, due["day"] + timedelta(days=1)), min(until, S)
        if first <= until:
            found.append((first, until, sats, (until - first).days + 1, s.interest(due, until)))
    return found


def q9(s: Sample) -> list[tuple[Any, ...]]:
    bearing = [due for due in s.dues if due["day"] < S and due["krav"]["kravtype"] not in s.without_interest]
    found = grouped(bearing, gruppe, s.interest, lambda due: s.interest(due, added=Decimal(1)))
    shown = dict(grouped(s.krav, lambda krav: krav["kravgruppe"], lambda krav: krav["stipulerteRenter"]))
    assert all(shown[name] == renter for name, renter, _ in found)
    return found


def q10(s: Sample) -> list[tuple[Any, ...]]:
    bearing = [due for due in s.debits if due["krav"]["kravtype"] not in s.without_interest]
    return grouped(bearing, s.parttype, s.interest, lambda due: s.interest(due, date(2026, 12, 31)))


def q11(s: Sample) -> list[tuple[Any, ...]]:
    owed = [k for k in s.krav if k["kravtype"] in s.without_interest and k["gjenstaaendeBeloep"] > 0]
    return grouped(owed, lambda krav: krav["kravtype"], one, lambda krav: krav["gjenstaaendeBeloep"])


def q12(s: Sample) -> list[tuple[Any, ...]]:
    def days(row: Row) -> int:
        return max(-5, min(5, (row["payment"]["innbetalingsdato"] - row["due"]["forfallsdato"]).days))

    return grouped((row for row in s.placed if row["payment"]), days, one, placed_beloep)


def q13(s: Sample) -> list[tuple[Any, ...]]:
    """What a due date was and what remains is the documents'; what was placed on it, the deliveries'."""
    covered: dict[str, list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 3)
    for row in s.placed:
        paid, due = row["payment"], row["due"]
        place = 2 if paid is None else int(paid["innbetalingsdato"] > due["forfallsdato"])
        amounts = covered[row["kravforfallsidentifikator"]]
        covered[row["kravforfallsidentifikator"]] = [
            a + (row["plassert_beloep"] if n == place else 0) for n, a in enumerate(amounts)
        ]
    asked = [d for d in s.dues if d["opprinneligBeloep"] > 0 and date(2026, 1, 1) <= d["day"] <= date(2026, 6, 30)]
    kinds = [lambda due, n=n: covered[due["kravforfallsIdentifikator"]][n] for n in range(3)]
    rows = grouped(asked, gruppe, one, lambda due: due["opprinneligBeloep"], *kinds, rest)
    share = Decimal("0.1")
    return [(*row, (100 * row[3] / row[2]).quantize(share, ROUND_HALF_UP)) for row in rows]


def q14(s: Sample) -> list[tuple[Any, ...]]:
    waiting = [paid for paid in s.payments if paid["uplassertBeloep"]]
    age = {name: n for n, (_, name) in enumerate(BANDS)}
    found = grouped(
        waiting, lambda p: age[band((S - day(p["innbetalingsdato"])).days)], one, lambda p: -p["uplassertBeloep"]
    )
    return [(BANDS[n][1], *sums) for n, *sums in found]


def q15(s: Sample) -> list[tuple[Any, ...]]:
    waiting = [
        (
            p["innbetalingsIdentifikator"],
            p["part"],
            day(p["innbetalingsdato"]),
            -p["innbetaltBeloep"],
            -p["uplassertBeloep"],
        )
        for p in s.payments
        if p["uplassertBeloep"]
    ]
    return sorted(waiting, key=lambda row: (row[2], row[0]))[:5]


def q16(s: Sample) -> list[tuple[Any, ...]]:
    others = [row for row in s.placed if row["payment"] and row["payment"]["part"] != s.whose(row["due"])]

    def same(row: Row) -> bool:
        return s.household(row["payment"]["part"]) == s.household(s.whose(row["due"]))

    payers = {which: len({row["payment"]["part"] for row in others if same(row) == which}) for which in (False, True)}
    return [(key, many, payers[key], amount) for key, many, amount in grouped(others, same, one, placed_beloep)]


def q17(s: Sample) -> list[tuple[Any, ...]]:
    due = next(due for due in s.dues if due["kravforfallsIdentifikator"] == "F1013548488")
    paid = [("innbetaling", p["innbetalingsidentifikator"], p) for p in due["plassertInnbetaling"]]
    netted = [("motkrav", p["motkravForfallsIdentifikator"], p) for p in due["plassertMotkrav"]]
    found = [(kind, post, day(p["plasseringsdato"]), -p["plassertBeloep"]) for kind, post, p in (*paid, *netted)]
    return sorted(found, key=lambda row: (row[2], row[1]))


def q18(s: Sample) -> list[tuple[Any, ...]]:
    used = dict(
        grouped((r for r in s.placed if r["plasseringstype"] == "MOTKRAV"), lambda r: r["motpost"], placed_beloep)
    )
    paid_out = [row for row in s.placed if row["plasseringstype"] == "UTBETALING"]
    out = dict(grouped(paid_out, lambda row: row["kravforfallsidentifikator"], placed_beloep))
    sums = [lambda due, of=of: of.get(due["kravforfallsIdentifikator"], 0) for of in (used, out)]
    credits_ = [due for due in s.dues if due["opprinneligBeloep"] < 0]
    return grouped(credits_, gruppe, one, lambda due: -due["opprinneligBeloep"], *sums, lambda due: -due["rest"])


def q19(s: Sample) -> list[tuple[Any, ...]]:
    """Added until nothing is."""
    known, before = {"F929050832"}, 0
    ends = [{row["kravforfallsidentifikator"], row["motpost"]} for row in s.placed]
    while len(known) > before:
        before = len(known)
        known |= {post for both in ends if both & known for post in both}
    names = ("plasseringstype", "kravforfallsidentifikator", "motpost", "plasseringsdato", "plassert_beloep")
    found = [tuple(row[name] for name in names) for row in s.placed if row["kravforfallsidentifikator"] in known]
    return sorted(found, key=lambda row: (row[3], row[1], row[2]))


def q20(s: Sample) -> list[tuple[Any, ...]]:
    manifests = [json.loads(path.read_text("utf-8")) for path in s.inbox.glob("*/*/manifest.json")]
    return sorted(
        (m["kilde"], m["leveransenummer"], m["type"], table, of["rader"], 0, Decimal(of.get("kontrollsum") or 0))
        for m in manifests
        for table, of in m["tabeller"].items()
    )


def q21(s: Sample) -> list[tuple[Any, ...]]:
    """Delivered is what the files have; shown, what the documents have of it, by key."""
    paid_out = [u for part, of in s.documents("utbetalinger").items() for u in of["utbetaling"] if u["part"] == part]
    shown = {
        "krav": {krav["kravidentifikator"]: krav["opprinneligBeloep"] for krav in s.krav},
        "kravforfall": {due["kravforfallsIdentifikator"]: due["opprinneligBeloep"] for due in s.dues},
        "innbetaling": {paid["innbetalingsIdentifikator"]: -paid["innbetaltBeloep"] for paid in s.payments},
        "utbetaling": {out["utbetalingIdentifikator"]: out["utbetaltBeloep"] for out in paid_out},
    }
    amounts = {"innbetaling": "innbetalt_beloep", "utbetaling": "utbetalt_beloep"}
    found = []
    for table, of in shown.items():
        key, amount = TABLES[table].key, amounts.get(table, "opprinnelig_beloep")
        counted = (one, lambda r, of=of, key=key: r[key] in of, lambda r, of=of, key=key, a=amount: r[a] - of[r[key]])
        found += [(kilde, table, *sums) for kilde, *sums in grouped(s.delivered(table), lambda r: r["kilde"], *counted)]
    return sorted(found)


def q22(s: Sample) -> list[tuple[Any, ...]]:
    of = [(table, row) for table in ("krav", "kravforfall") for row in s.delivered(table)]
    of = [(table, row) for table, row in of if row["kravidentifikator"] == "K100664857"]
    return sorted((table, row[TABLES[table].key], row["kilde"], 1, row["fil"], row["rad"]) for table, row in of)


def q23(s: Sample) -> list[tuple[Any, ...]]:
    """The digits' weights are the published ones of Norwegian account numbers."""

    def fails(row: Row) -> bool:
        digits = (row["fra_kontonummer"] or "").replace(".", "").replace(" ", "")
        weighted = zip(digits, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1), strict=False)
        return digits != "" and not (
            len(digits) == 11 and digits.isdigit() and sum(int(digit) * weight for digit, weight in weighted) % 11 == 0
        )

    there = [one, lambda row: row["fra_kontonummer"] is not None, fails]
    return grouped(s.delivered("innbetaling"), lambda row: row["kilde"], *there)


SECOND_WAYS = [q1, q2, q3, q4, q5, q6, q7, q8, q9, q10, q11, q12, q13, q14, q15, q16, q17, q18, q19, q20, q21, q22, q23]
"""By the questions' numbers, from 1."""
