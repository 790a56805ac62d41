"""The night's documents with pandas and orjson: ``python -m bench.pandas_night INBOX OUT DATE``.

Joins, sums and sorting in pandas, amounts as integer øre; every post a dict, put under its parent row by row;
``orjson.dumps`` at the end, amounts as fragments (orjson has no decimals). Leaves ``OUT/<kind>.ndjson.zst``.
"""

import sys
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import zstandard

from bench.inbox import KRAVTYPER, RATES, ZSTD_LEVELS, delivered

Post = dict[str, Any]
Lists = dict[str, list[Post]]
KONTO = {
    "bankinformasjon": "bankinformasjon",
    "kontoeiers_navn": "kontoeiersNavn",
    "kontonummer": "kontonummer",
    "iban": "iban",
    "swift_bic": "swiftBIC",
}


def read(files: list[str]) -> pd.DataFrame:
    """A delivered table: amounts as integer øre, dates as the documents' text, null as None."""
    table = pa.concat_tables(pq.read_table(file) for file in files)
    for place, field in enumerate(table.schema):
        column = table.column(place)
        if pa.types.is_decimal(field.type):
            column = pc.cast(pc.multiply(column, pa.scalar(Decimal(100))), pa.int64())
        elif pa.types.is_date(field.type):
            column = pc.binary_join_element_wise(pc.cast(column, pa.string()), "T00:00:00.000Z", "")
        table = table.set_column(place, field.name, column)
    frame = table.to_pandas()
    texts = frame.select_dtypes(["object", "str"]).columns
    return frame.astype(dict.fromkeys(texts, object)).where(frame.notna(), None)


def amount(oere: int) -> orjson.Fragment:
    """Kroner with two decimals."""
    whole, rest = divmod(abs(oere), 100)
    return orjson.Fragment(b"%s%d.%02d" % (b"-" if oere < 0 else b"", whole, rest))


def present(**fields: Any) -> Post:
    """The fields that are not null."""
    return {name: value for name, value in fields.items() if value is not None}


def konto(row: Any, prefix: str = "") -> Post:
    """An account of the columns with the prefix; a payer's is masked."""
    made = present(**{field: getattr(row, prefix + column) for column, field in KONTO.items()})
    if prefix == "fra_":
        made.pop("iban", None)
        if number := made.get("kontonummer"):
            made["kontonummer"] = "*" * max(0, len(number) - 5) + number[-5:]
    return made


def payer(row: Any) -> Post:
    """``betaltFra``."""
    return {**present(kidnummer=row.fra_kidnummer), "konto": konto(row, "fra_")}


def periode(row: Any) -> Post:
    """The claim's period under a placement or a payout."""
    return present(start=row.periode_start, slutt=row.periode_slutt)


def weights(days: pd.Series, snapshot: date) -> dict[str, int]:
    """Per due date the sum of the daily rates, in hundredths of a percent, after it through the snapshot date."""
    rates = pd.read_csv(RATES, dtype=str)
    starts = [date.fromisoformat(day) for day in rates["fra_dato"]]
    ends = [*starts[1:], snapshot + timedelta(1)]
    sats = [int(rate.replace(".", "")) for rate in rates["sats"]]
    made = {}
    for day in days.unique():
        first = date.fromisoformat(day[:10]) + timedelta(1)
        periods = zip(starts, ends, sats, strict=True)
        made[day] = sum(
            max(0, (min(end, snapshot + timedelta(1)) - max(start, first)).days) * rate for start, end, rate in periods
        )
    return made


class Ledger:
    """The delivered tables, joined and summed."""

    def __init__(self, inbox: Path, snapshot: date) -> None:
        tables = {name: read(files) for name, files in delivered(inbox).items()}
        self.part, self.innbetaling = tables["part"], tables["innbetaling"]
        self.utbetaling = tables["utbetaling"]
        self.placements = tables["plassering"].sort_values(["plasseringsdato", "plasseringsidentifikator"])
        self.krav = self._krav(tables["krav"])
        self.forfall = self._forfall(tables["kravforfall"], snapshot)
        sums = self.forfall.groupby("kravidentifikator").agg(
            gjenstaaende=("gjenstaaende", "sum"),
            aapent=("er_aapent", "any"),
            renter=("renter", "sum"),
            forfalte=("forfalte", "sum"),
        )
        self.krav = self.krav.merge(sums, on="kravidentifikator").sort_values(["opprettelsesdato", "kravidentifikator"])
        placed = self.of_type("INNBETALING").groupby("motpost")["plassert_beloep"].sum().rename("plassert")
        joined = self.innbetaling.merge(placed, how="left", left_on="innbetalingsidentifikator", right_index=True)
        joined["uplassert"] = joined["innbetalt_beloep"] - joined["plassert"].fillna(0).astype("int64")
        self.innbetaling = joined.sort_values(["innbetalingsdato", "innbetalingsidentifikator"])
        self.utbetaling = self.utbetaling.sort_values(["utbetalingsdato", "utbetalingsidentifikator"])

    def of_type(self, name: str) -> pd.DataFrame:
        """Placements of one type, in the documents' order."""
        return self.placements[self.placements["plasseringstype"] == name]

    @staticmethod
    def _krav(krav: pd.DataFrame) -> pd.DataFrame:
        kravtyper = pd.read_csv(KRAVTYPER, dtype={"renteberegnes": bool}).rename(columns={"kravgruppe": "gruppe"})
        krav = krav.merge(kravtyper, on="kravtype", how="left")
        krav["kravbeskrivelse"] = krav["kravbeskrivelse"].fillna(krav["tekst"]).fillna(krav["kravtype"])
        krav["kravgruppe"] = krav["kravgruppe"].fillna(krav["gruppe"]).fillna("Andre krav")
        krav["renteberegnes"] = krav["renteberegnes"].astype("boolean").fillna(True).astype(bool)
        return krav

    def _forfall(self, forfall: pd.DataFrame, snapshot: date) -> pd.DataFrame:
        near = self.placements[["kravforfallsidentifikator", "plassert_beloep"]].copy()
        near.loc[self.placements["plasseringstype"] != "UTBETALING", "plassert_beloep"] *= -1
        far = self.of_type("MOTKRAV")[["motpost", "plassert_beloep"]].set_axis(near.columns, axis=1)
        placed = pd.concat([near, far]).groupby("kravforfallsidentifikator")["plassert_beloep"].sum()
        placed = forfall["kravforfallsidentifikator"].map(placed).fillna(0).astype("int64")
        forfall["gjenstaaende"] = forfall["opprinnelig_beloep"] + placed
        forfall["er_aapent"] = forfall["gjenstaaende"] != 0
        forfalt = forfall["forfallsdato"] < f"{snapshot}T"
        bears = forfall["kravidentifikator"].map(self.krav.set_index("kravidentifikator")["renteberegnes"]).astype(bool)
        weight = weights(forfall["forfallsdato"], snapshot)
        remaining = zip(forfall["gjenstaaende"], forfall["forfallsdato"], forfalt & bears, strict=True)
        kroner = [left * weight[day] // 365_000_000 if counts and left > 0 else 0 for left, day, counts in remaining]
        forfall["renter"] = [100 * each if each >= 50 else 0 for each in kroner]
        forfall["forfalte"] = forfall["gjenstaaende"].where(forfalt, 0)
        return forfall.sort_values(["forfallsdato", "kravforfallsidentifikator"])


def innbetalinger_on_forfall(ledger: Ledger) -> Lists:
    """Per due date the payments that cover it."""
    made: Lists = defaultdict(list)
    rows = ledger.of_type("INNBETALING").merge(
        ledger.innbetaling, left_on="motpost", right_on="innbetalingsidentifikator"
    )
    for row in rows.itertuples():
        made[row.kravforfallsidentifikator].append(
            {
                "innbetalingsidentifikator": row.motpost,
                "innbetalingsdato": row.innbetalingsdato,
                "innbetaltBeloep": amount(-row.innbetalt_beloep),
                "betaltFra": payer(row),
                "plassertBeloep": amount(-row.plassert_beloep),
                "plasseringsdato": row.plasseringsdato,
            }
        )
    return made


def motkrav_on_forfall(ledger: Ledger) -> Lists:
    """Per due date, debit or credit, the other end of each set-off."""
    rows = ledger.of_type("MOTKRAV")[
        ["kravforfallsidentifikator", "motpost", "plassert_beloep", "plasseringsdato", "plasseringsidentifikator"]
    ]
    names = ["post", "annen", "beloep", "dato", "id"]
    debits = rows.set_axis(names, axis=1)
    credits = debits.rename(columns={"post": "annen", "annen": "post"})
    rows = pd.concat([debits.assign(beloep=-debits["beloep"]), credits])
    dues = ledger.forfall[["kravforfallsidentifikator", "kravidentifikator", "forfallsdato"]]
    rows = rows.merge(dues, left_on="annen", right_on="kravforfallsidentifikator")
    rows = rows.merge(ledger.krav[["kravidentifikator", "kravbeskrivelse"]], on="kravidentifikator")
    made: Lists = defaultdict(list)
    for row in rows.sort_values(["dato", "id"]).itertuples():
        made[row.post].append(
            {
                "motkravBeskrivelse": row.kravbeskrivelse,
                "motkravForfallsIdentifikator": row.annen,
                "motkravForfallsdato": row.forfallsdato,
                "plassertBeloep": amount(row.beloep),
                "plasseringsdato": row.dato,
            }
        )
    return made


def krav_posts(ledger: Ledger) -> Iterator[tuple[Any, Post]]:
    """Every claim's row and post, in the documents' order."""
    innbetalinger, motkrav = innbetalinger_on_forfall(ledger), motkrav_on_forfall(ledger)
    dues: Lists = defaultdict(list)
    for row in ledger.forfall.itertuples():
        dues[row.kravidentifikator].append(
            {
                "kravforfallsIdentifikator": row.kravforfallsidentifikator,
                "forfallsdato": row.forfallsdato,
                "opprinneligBeloep": amount(row.opprinnelig_beloep),
                "plassertInnbetaling": innbetalinger.get(row.kravforfallsidentifikator, []),
                "plassertMotkrav": motkrav.get(row.kravforfallsidentifikator, []),
                "gjenstaaendeBeloep": amount(row.gjenstaaende),
                "betalingsinformasjon": {**present(kidnummer=row.kidnummer), "konto": konto(row)},
                "utsattIverksettelse": row.utsatt_iverksettelse,
            }
        )
    for row in ledger.krav.itertuples():
        yield (
            row,
            present(
                part=row.part,
                kravidentifikator=row.kravidentifikator,
                kravbeskrivelse=row.kravbeskrivelse,
                opprettelsesdatoForKrav=row.opprettelsesdato,
                kravperiode=row.kravperiode,
                kravforfall=dues[row.kravidentifikator],
                opprinneligBeloep=amount(row.opprinnelig_beloep),
                gjenstaaendeBeloep=amount(row.gjenstaaende),
                stipulerteRenter=amount(row.renter),
                kravtype=row.kravtype,
                kravgruppe=row.kravgruppe,
            ),
        )


def innbetaling_posts(ledger: Ledger) -> Iterator[tuple[Any, Post]]:
    """Every payment's row and post, in the documents' order."""
    rows = ledger.of_type("INNBETALING").merge(
        ledger.forfall[["kravforfallsidentifikator", "kravidentifikator"]], on="kravforfallsidentifikator"
    )
    krav = ledger.krav[["kravidentifikator", "kravbeskrivelse", "periode_start", "periode_slutt"]]
    placed: Lists = defaultdict(list)
    for row in rows.merge(krav, on="kravidentifikator").itertuples():
        placed[row.motpost].append(
            {
                "dekketKrav": row.kravbeskrivelse,
                "kravperiode": periode(row),
                "kravforfallIdentifikator": row.kravforfallsidentifikator,
                "plassertBeloep": amount(row.plassert_beloep),
                "plasseringsdato": row.plasseringsdato,
            }
        )
    for row in ledger.innbetaling.itertuples():
        yield (
            row,
            {
                "part": row.part,
                "innbetalingsdato": row.innbetalingsdato,
                "innbetaltBeloep": amount(-row.innbetalt_beloep),
                "uplassertBeloep": amount(-row.uplassert),
                "plassertInnbetalingMotKrav": placed.get(row.innbetalingsidentifikator, []),
                "betaltFra": payer(row),
                "betaltTilKonto": konto(row, "til_"),
                "innbetalingsIdentifikator": row.innbetalingsidentifikator,
            },
        )


def utbetaling_posts(ledger: Ledger) -> Iterator[tuple[Any, Post]]:
    """Every payout's row and post, in the documents' order."""
    rows = ledger.of_type("UTBETALING").merge(
        ledger.forfall[["kravforfallsidentifikator", "kravidentifikator"]], on="kravforfallsidentifikator"
    )
    rows = rows[["motpost", "kravidentifikator"]].drop_duplicates().merge(ledger.krav, on="kravidentifikator")
    grunnlag: Lists = defaultdict(list)
    for row in rows.sort_values("kravidentifikator").itertuples():
        grunnlag[row.motpost].append(
            {
                "dekketKrav": row.kravbeskrivelse,
                "kravIdentifikator": row.kravidentifikator,
                "kravtype": row.kravtype,
                "kravperiode": periode(row),
                "opprinneligBeloep": amount(row.opprinnelig_beloep),
                "gjenstaaendeBeloep": amount(row.gjenstaaende),
            }
        )
    for row in ledger.utbetaling.itertuples():
        yield (
            row,
            present(
                part=row.part,
                utbetalingsbeskrivelse=row.utbetalingsbeskrivelse,
                utbetaltdato=row.utbetalingsdato,
                utbetaltBeloep=amount(row.utbetalt_beloep),
                betaltTil={**present(kidnummer=row.til_kidnummer), "konto": konto(row, "til_")},
                utbetalingIdentifikator=row.utbetalingsidentifikator,
                grunnlagForUtbetaling=grunnlag.get(row.utbetalingsidentifikator, []),
            ),
        )


Dated = tuple[str, str, Any, Post]
"""Date, identifier, row and post."""


def by_part(posts: Iterator[tuple[Any, Post]], dato: str, key: str) -> dict[str, list[Dated]]:
    """Posts by the part that they are of."""
    made: dict[str, list[Dated]] = defaultdict(list)
    for row, post in posts:
        made[row.part].append((getattr(row, dato), getattr(row, key), row, post))
    return made


def shown(posts: dict[str, list[Dated]], part: Any) -> list[Dated]:
    """The posts that a part's documents show: its own, and an ENK's owner's."""
    own = posts.get(part.part, [])
    if part.innehaver is None:
        return own
    return sorted([*own, *posts.get(part.innehaver, [])], key=lambda post: post[:2])


def totals(rows: list[Any]) -> tuple[dict[str, orjson.Fragment], int]:
    """Interest, overdue and not overdue of open claims as fields; and their sum in øre."""
    renter, forfalte = sum(row.renter for row in rows), sum(row.forfalte for row in rows)
    ikke = sum(row.gjenstaaende for row in rows) - forfalte
    fields = {"stipulerteRenter": renter, "forfalteKrav": forfalte, "ikkeForfalteKrav": ikke}
    return {name: amount(oere) for name, oere in fields.items()}, renter + forfalte + ikke


def oversikt(part: str, krav: list[Dated], innbetalinger: list[Dated]) -> Post:
    """The overview of the posts that it shows."""
    krav = [post for post in krav if post[2].aapent]
    unplaced = [post for post in innbetalinger if post[2].uplassert]
    groups = defaultdict(list)
    for _, _, row, _ in krav:
        groups[row.kravgruppe].append(row)
    of_groups = []
    for name in sorted(groups):
        fields, saldo = totals(groups[name])
        of_groups.append({"kravgruppe": name, **fields, "saldo": amount(saldo)})
    fields, saldo = totals([post[2] for post in krav])
    credit = -sum(post[2].uplassert for post in unplaced)
    return {
        "forespurtPart": part,
        "aapentKravMedGjenstaaendeBeloep": [post[3] for post in krav],
        "innbetalingMedUplassertBeloep": [post[3] for post in unplaced],
        "totalOversikt": {**fields, "uplasserteInnbetalinger": amount(credit), "saldo": amount(saldo + credit)},
        "oversiktPerKravgruppe": of_groups,
    }


def write_documents(inbox: Path, out: Path, snapshot_date: str) -> None:
    """Writes all documents."""
    out.mkdir(parents=True)
    ledger = Ledger(inbox, date.fromisoformat(snapshot_date))
    krav = by_part(krav_posts(ledger), "opprettelsesdato", "kravidentifikator")
    innbetalinger = by_part(innbetaling_posts(ledger), "innbetalingsdato", "innbetalingsidentifikator")
    utbetalinger = by_part(utbetaling_posts(ledger), "utbetalingsdato", "utbetalingsidentifikator")
    kinds = {"krav": ("krav", krav), "innbetalinger": ("innbetaling", innbetalinger)}
    for kind, (name, posts) in {**kinds, "utbetalinger": ("utbetaling", utbetalinger)}.items():
        rows = ledger.part.itertuples()
        _write(out, kind, ({"forespurtPart": p.part, name: [d[3] for d in shown(posts, p)]} for p in rows))
    overviews = (oversikt(p.part, shown(krav, p), shown(innbetalinger, p)) for p in ledger.part.itertuples())
    _write(out, "oversikt", overviews)


def _write(out: Path, kind: str, documents: Iterator[Post]) -> None:
    compressor = zstandard.ZstdCompressor(level=ZSTD_LEVELS[kind], threads=2)
    with (out / f"{kind}.ndjson.zst").open("wb") as file, compressor.stream_writer(file) as lines:
        for document in documents:
            lines.write(orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE))


if __name__ == "__main__":
    write_documents(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
