"""The night's documents in Polars, in memory: ``python -m bench.polars_night INBOX OUT DATE``.

Rows lie as the documents list them, and a reference is a row number from one join; all else is gathered and summed
by those. A fragment is one ``concat_str`` over the rows of its table, so the fragments under a parent lie side by
side in one buffer, and a list of them is a pair of offsets. Amounts are integer øre (a sum must fit in 64 bits).

Leaves ``OUT/<kind>.zst``, a zstd frame a document, and ``OUT/<kind>.parquet``: ``part`` and the frame's ``length``.
"""

import json
import sys
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import polars as pl
import pyarrow as pa
import zstandard

from bench.inbox import KRAVTYPER, RATES, ZSTD_LEVELS, delivered
from bench.polars_fragments import (
    FORFALL,
    GRUNNLAG,
    INNBETALING,
    INNBETALING_HEAD,
    INNBETALING_ON_FORFALL,
    KONTO,
    KRAV,
    KRAV_ON_INNBETALING,
    KRAVGRUPPE,
    MOTKRAV,
    PERIODE,
    TOTALS,
    UTBETALING,
    comma,
    in_braces,
    made,
    masked,
    with_kid,
)

Oere = np.ndarray[Any, np.dtype[np.int64]]
ESCAPES = {char: json.dumps(char)[1:-1] for char in [*map(chr, range(32)), '"', "\\"]}
SLICE = 4_000
"""Parts whose documents lie in memory at a time: what one slice had serves the next."""


def read(files: list[str]) -> pl.DataFrame:
    """A delivered table, its texts escaped."""
    return escaped(pl.read_parquet(files))


def escaped(rows: pl.DataFrame) -> pl.DataFrame:
    """Texts as they stand in JSON. Each column is looked over first, for hardly any needs it."""
    needy = rows.select(pl.col(pl.String).str.contains(r'[\x00-\x1f"\\]').any())
    return rows.with_columns(
        pl.col(name).str.replace_many(list(ESCAPES), list(ESCAPES.values()))
        for name in needy.columns
        if needy[name].item()
    )


def row_numbers(keys: pl.Series, of: pl.Series) -> pl.Series:
    """For each key the number of the row that has it."""
    rows = of.to_frame("key").with_row_index("row")
    return keys.to_frame("key").join(rows, on="key", how="left", maintain_order="left")["row"]


def oere(amounts: pl.Series) -> Oere:
    """Integer øre of delivered kroner."""
    return amounts.to_physical().cast(pl.Int64).to_numpy()


def kroner(amounts: Oere) -> pl.Series:
    """Øre as kroner with two decimals: the same integers, for that is what a decimal is."""
    decimals = np.column_stack([amounts, amounts >> 63])
    buffers = [None, pa.py_buffer(np.ascontiguousarray(decimals))]
    return pl.Series(pl.from_arrow(pa.Array.from_buffers(pa.decimal128(38, 2), len(amounts), buffers)))


def summed(amounts: Oere, rows: pl.Series, count: int) -> Oere:
    """Exact sums of what falls on each of ``count`` rows."""
    sums = np.zeros(count, np.int64)
    np.add.at(sums, rows.to_numpy(), amounts)
    return sums


def side_by_side(texts: pl.Series, rows: pl.Series, count: int) -> tuple[Oere, pa.Buffer]:
    """All texts in one buffer, and where in it those of each of ``count`` rows begin and end. ``rows`` is sorted."""
    packed = texts.to_arrow(compat_level=pl.CompatLevel.oldest())
    starts = np.frombuffer(packed.buffers()[1], np.int64)[packed.offset :]
    firsts = np.searchsorted(rows.to_numpy(), np.arange(count + 1, dtype=np.uint32))
    return starts[firsts], packed.buffers()[2] or pa.py_buffer(b"")


def lists(texts: pl.Series, rows: pl.Series, count: int) -> pl.Series:
    """The texts under each of ``count`` rows as one. ``rows`` is sorted."""
    bounds, packed = side_by_side(texts.rechunk(), rows, count)
    return pl.Series(pl.from_arrow(pa.LargeStringArray.from_buffers(count, pa.py_buffer(bounds), packed)))


class Ledger:
    """The delivered tables, each row in the documents' order under its parent.

    Row numbers: ``p`` of a post's part, ``k`` of a due date's krav, ``f`` of a placement's due date and ``m`` of its
    far end (motpost), which is of ``innbetaling``, ``forfall`` or ``utbetaling``.
    """

    def __init__(self, inbox: Path, snapshot: date) -> None:
        files = delivered(inbox)
        self.part = read(files["part"]).sort("part")
        self.krav = self._posts(self._described(read(files["krav"])), "opprettelsesdato", "kravidentifikator")
        self.innbetaling = self._posts(read(files["innbetaling"]), "innbetalingsdato", "innbetalingsidentifikator")
        self.utbetaling = self._posts(read(files["utbetaling"]), "utbetalingsdato", "utbetalingsidentifikator")
        forfall = read(files["kravforfall"])
        at = row_numbers(forfall["kravidentifikator"], self.krav["kravidentifikator"])
        self.forfall = forfall.with_columns(k=at).sort("k", "forfallsdato", "kravforfallsidentifikator")
        self._place(read(files["plassering"]))
        self._settle(snapshot)

    def _posts(self, posts: pl.DataFrame, dato: str, key: str) -> pl.DataFrame:
        return posts.with_columns(p=row_numbers(posts["part"], self.part["part"])).sort("p", dato, key)

    @staticmethod
    def _described(krav: pl.DataFrame) -> pl.DataFrame:
        kravtyper = escaped(pl.read_csv(KRAVTYPER).rename({"kravgruppe": "gruppe"}))
        return krav.join(kravtyper, on="kravtype", how="left").with_columns(
            pl.coalesce("kravbeskrivelse", "tekst", "kravtype").alias("kravbeskrivelse"),
            pl.coalesce("kravgruppe", "gruppe", pl.lit("Andre krav")).alias("kravgruppe"),
            pl.col("renteberegnes").fill_null(True),
            in_braces(PERIODE).alias("periode"),
        )

    def _place(self, plassering: pl.DataFrame) -> None:
        forfall = self.forfall["kravforfallsidentifikator"]
        plassering = plassering.with_columns(f=row_numbers(plassering["kravforfallsidentifikator"], forfall))
        self.innbetalinger = self._of_type(plassering, "INNBETALING", self.innbetaling["innbetalingsidentifikator"])
        self.motkrav = self._of_type(plassering, "MOTKRAV", forfall)
        self.utbetalinger = self._of_type(plassering, "UTBETALING", self.utbetaling["utbetalingsidentifikator"])

    @staticmethod
    def _of_type(plassering: pl.DataFrame, name: str, posts: pl.Series) -> pl.DataFrame:
        rows = plassering.filter(pl.col("plasseringstype") == name)
        return rows.with_columns(m=row_numbers(rows["motpost"], posts)).drop("plasseringstype", "motpost")

    def _settle(self, snapshot: date) -> None:
        """What remains, interest and sums, in øre."""
        count = self.forfall.height
        left = oere(self.forfall["opprinnelig_beloep"]).copy()
        for rows, end, sign in (
            (self.innbetalinger, "f", -1),
            (self.motkrav, "f", -1),
            (self.motkrav, "m", 1),
            (self.utbetalinger, "f", 1),
        ):
            left += sign * summed(oere(rows["plassert_beloep"]), rows[end], count)
        overdue = (self.forfall["forfallsdato"] < snapshot).to_numpy()
        bears = overdue & self.krav["renteberegnes"].gather(self.forfall["k"]).to_numpy() & (left > 0)
        interest = stipulated(left, self.forfall["forfallsdato"], bears, snapshot)
        krav, k = self.krav.height, self.forfall["k"]
        renter = summed(interest, k, krav)
        forfalte, ikke_forfalte = summed(left * overdue, k, krav), summed(left * ~overdue, k, krav)
        aapent = summed((left != 0).astype(np.int64), k, krav) > 0
        self.sums = pl.DataFrame({"renter": renter, "forfalte": forfalte, "ikke_forfalte": ikke_forfalte})
        self.forfall = self.forfall.with_columns(gjenstaaende=kroner(left))
        self.krav = self.krav.with_columns(
            gjenstaaende=kroner(forfalte + ikke_forfalte), renter=kroner(renter), aapent=aapent
        )
        placed = summed(oere(self.innbetalinger["plassert_beloep"]), self.innbetalinger["m"], self.innbetaling.height)
        self.uplassert = placed - oere(self.innbetaling["innbetalt_beloep"])


def stipulated(left: Oere, forfallsdato: pl.Series, bears: np.ndarray[Any, Any], snapshot: date) -> Oere:
    """Interest in øre: whole kroner, and none below 50 (CONTRACT section 3)."""
    rates = pl.read_csv(RATES, schema={"fra_dato": pl.Date, "sats": pl.Decimal(9, 2)})
    begins = rates["fra_dato"].to_list()
    periods = list(zip(begins, [*begins[1:], date.max], rates["sats"].to_physical().to_list(), strict=True))
    after, day = snapshot + timedelta(1), timedelta(1)
    days = forfallsdato.unique().to_list()
    weights = [
        sum(max((min(after, til) - max(due + day, fra)).days, 0) * sats for fra, til, sats in periods) for due in days
    ]
    weight = forfallsdato.replace_strict(days, weights, return_dtype=pl.Int64)
    interest = pl.DataFrame({"left": left, "weight": weight, "bears": bears}).select(
        pl.when("bears").then(pl.col("left").cast(pl.Int128) * pl.col("weight") // 365_000_000).otherwise(0)
    )
    whole = interest.to_series().cast(pl.Int64).to_numpy()
    return np.where(whole >= 50, 100 * whole, 0)


def innbetalinger_on_forfall(ledger: Ledger, fra: pl.Series) -> pl.Series:
    """Per due date the payments that cover it."""
    heads = made(ledger.innbetaling.with_columns(fra=fra), INNBETALING_HEAD)
    rows = ledger.innbetalinger.sort("f", "plasseringsdato", "plasseringsidentifikator")
    rows = rows.with_columns(comma("f"), head=heads.gather(rows["m"]))
    return lists(made(rows, INNBETALING_ON_FORFALL), rows["f"], ledger.forfall.height)


def motkrav_on_forfall(ledger: Ledger) -> pl.Series:
    """Per due date, debit or credit, the other end of each set-off."""
    beloep, order = pl.col("plassert_beloep"), ("plasseringsdato", "plasseringsidentifikator")
    debits = ledger.motkrav.select(*order, post="f", annen="m", beloep=-beloep)
    credits = ledger.motkrav.select(*order, post="m", annen="f", beloep=beloep)
    rows = pl.concat([debits, credits]).sort("post", *order)
    annen = ledger.forfall.select("kravforfallsidentifikator", "forfallsdato", "k")[rows["annen"]]
    beskrivelse = ledger.krav["kravbeskrivelse"].gather(annen["k"])
    rows = rows.hstack(annen).with_columns(comma("post"), kravbeskrivelse=beskrivelse)
    return lists(made(rows, MOTKRAV), rows["post"], ledger.forfall.height)


def krav_texts(ledger: Ledger, fra: pl.Series) -> pl.Series:
    """Every claim with its due dates, each with what covers it."""
    forfall = ledger.forfall.with_columns(
        comma("k"),
        innbetalinger=innbetalinger_on_forfall(ledger, fra),
        motkrav=motkrav_on_forfall(ledger),
        betalingsinformasjon=with_kid(ledger.forfall),
    )
    dues = lists(made(forfall, FORFALL), forfall["k"], ledger.krav.height)
    return made(ledger.krav.with_columns(kravforfall=dues), KRAV)


def innbetaling_texts(ledger: Ledger, fra: pl.Series) -> pl.Series:
    """Every payment with the claims that it covers."""
    rows = ledger.innbetalinger.sort("m", "plasseringsdato", "plasseringsidentifikator")
    covered = ledger.krav.select("kravbeskrivelse", "periode")[ledger.forfall["k"].gather(rows["f"])]
    rows = rows.hstack(covered)
    krav = lists(made(rows.with_columns(comma("m")), KRAV_ON_INNBETALING), rows["m"], ledger.innbetaling.height)
    til = ledger.innbetaling.select(in_braces(KONTO.replace("<", "<til_"))).to_series()
    uplassert = kroner(ledger.uplassert)
    return made(ledger.innbetaling.with_columns(krav=krav, fra=fra, til=til, uplassert=uplassert), INNBETALING)


def utbetaling_texts(ledger: Ledger) -> pl.Series:
    """Every payout with the claims that it pays."""
    rows = ledger.utbetalinger.select("m", k=ledger.forfall["k"].gather(ledger.utbetalinger["f"])).unique()
    rows = rows.hstack(ledger.krav.drop("p")[rows["k"]]).sort("m", "kravidentifikator").with_columns(comma("m"))
    grunnlag = lists(made(rows, GRUNNLAG), rows["m"], ledger.utbetaling.height)
    return made(ledger.utbetaling.with_columns(grunnlag=grunnlag, til=with_kid(ledger.utbetaling, "til_")), UTBETALING)


@dataclass
class Shown:
    """Posts by document, as the documents list them: the part's own, and an ENK's owner's."""

    rows: pl.DataFrame
    """``doc``, the part's row number, and ``post``, the post's; sorted by both date and identifier under ``doc``."""
    texts: pl.Series
    """Of each post, a comma before it."""

    def only(self, posts: pl.Series) -> "Shown":
        """Those of the posts that are true."""
        return Shown(self.rows.filter(posts.gather(self.rows["post"])), self.texts)

    def fragments(self) -> pl.DataFrame:
        """``doc`` and ``text``, the first of a document without its comma."""
        rows = self.rows.select("doc", text=self.texts.gather(self.rows["post"]))
        first = pl.col("doc") != pl.col("doc").shift(fill_value=2**32 - 1)
        return rows.with_columns(pl.when(first).then(pl.col("text").str.slice(1)).otherwise("text").alias("text"))


def shown(part: pl.DataFrame, posts: pl.DataFrame, texts: pl.Series, dato: str, key: str) -> Shown:
    """Under each part its own posts and those of its owner."""
    posts = posts.select("p", dato, key).with_row_index("post")
    owned = part.select("innehaver").with_row_index("doc").drop_nulls()
    owned = owned.with_columns(p=row_numbers(owned["innehaver"], part["part"])).join(posts, on="p")
    own = posts.with_columns(doc="p")
    rows = pl.concat([own.select("doc", "post", dato, key), owned.select("doc", "post", dato, key)])
    return Shown(rows.sort("doc", dato, key).select("doc", "post"), texts)


class Writer:
    """Writes one kind after another."""

    def __init__(self, out: Path, part: pl.DataFrame) -> None:
        self._out, self._part = out, part["part"]

    def write(self, kind: str, *sections: str | pl.Series | pl.DataFrame) -> None:
        """Documents of sections, each a text for all, one for each part, or fragments (``doc``, ``text``)."""
        count = len(self._part)
        docs = pl.arange(count, dtype=pl.UInt32, eager=True).alias("doc")
        stacked = []
        for number, section in enumerate(sections):
            if isinstance(section, str):
                section = pl.repeat(section, count, eager=True)
            rows = section if isinstance(section, pl.DataFrame) else pl.DataFrame([docs, section.alias("text")])
            stacked.append(rows.with_columns(section=pl.lit(number, pl.UInt32)))
        rows = pl.concat(stacked).sort("doc", "section", maintain_order=True)
        lengths: list[int] = []
        with (self._out / f"{kind}.zst").open("wb") as file:
            for first in range(0, count, SLICE):
                lengths += self._write(kind, rows, first, min(SLICE, count - first), file)
        pl.DataFrame({"part": self._part, "length": lengths}).write_parquet(self._out / f"{kind}.parquet")

    @staticmethod
    def _write(kind: str, rows: pl.DataFrame, first: int, count: int, file: BinaryIO) -> list[int]:
        low, high = np.searchsorted(rows["doc"].to_numpy(), np.array([first, first + count], np.uint32))
        rows = rows[low:high]
        bounds, packed = side_by_side(rows["text"], rows["doc"] - first, count)
        documents = np.column_stack([bounds[:-1], np.diff(bounds)]).astype(np.uint64)
        frames = zstandard.ZstdCompressor(level=ZSTD_LEVELS[kind]).multi_compress_to_buffer(
            zstandard.BufferWithSegments(packed, documents.data), threads=2
        )
        written: list[Any] = list(map(frames.__getitem__, range(count)))
        file.writelines(written)
        return list(map(len, written))


def overview(ledger: Ledger, writer: Writer, krav: Shown, innbetalinger: Shown) -> None:
    """The open claims, the unplaced payments and their totals."""
    krav = krav.only(ledger.krav["aapent"])
    innbetalinger = innbetalinger.only(pl.Series(ledger.uplassert != 0))
    count = ledger.part.height
    sums = krav.rows.select("doc").hstack(ledger.sums.with_columns(ledger.krav["kravgruppe"])[krav.rows["post"]])
    grupper = sums.group_by("doc", "kravgruppe").sum().sort("doc", "kravgruppe")
    grupper = in_kroner(grupper).with_columns(comma("doc"))
    uplassert = ledger.uplassert[innbetalinger.rows["post"].to_numpy()]
    totals = pl.DataFrame({name: summed(sums[name].to_numpy(), sums["doc"], count) for name in ledger.sums.columns})
    totals = in_kroner(totals, uplassert=summed(uplassert, innbetalinger.rows["doc"], count))
    totals = totals.with_columns(grupper=lists(made(grupper, KRAVGRUPPE), grupper["doc"], count))
    writer.write(
        "oversikt",
        made(ledger.part, '{"forespurtPart":"<part>","aapentKravMedGjenstaaendeBeloep":['),
        krav.fragments(),
        '],"innbetalingMedUplassertBeloep":[',
        innbetalinger.fragments(),
        made(totals, TOTALS),
    )


def in_kroner(sums: pl.DataFrame, **more: Oere) -> pl.DataFrame:
    """The sums in kroner, and ``saldo``, all of them."""
    of = {name: sums[name].to_numpy() for name in ("renter", "forfalte", "ikke_forfalte")} | more
    saldo = np.sum(list(of.values()), axis=0)
    return sums.with_columns(**{name: kroner(amounts) for name, amounts in of.items()}, saldo=kroner(saldo))


def write_documents(inbox: Path, out: Path, snapshot_date: str) -> None:
    """Writes all documents."""
    out.mkdir(parents=True)
    ledger = Ledger(inbox, date.fromisoformat(snapshot_date))
    writer = Writer(out, ledger.part)
    fra = with_kid(ledger.innbetaling.with_columns(masked("fra_kontonummer"), fra_iban=None), "fra_")
    posts = {
        "krav": ("krav", ledger.krav, krav_texts(ledger, fra), "opprettelsesdato", "kravidentifikator"),
        "innbetalinger": (
            "innbetaling",
            ledger.innbetaling,
            innbetaling_texts(ledger, fra),
            "innbetalingsdato",
            "innbetalingsidentifikator",
        ),
        "utbetalinger": (
            "utbetaling",
            ledger.utbetaling,
            utbetaling_texts(ledger),
            "utbetalingsdato",
            "utbetalingsidentifikator",
        ),
    }
    listed = {}
    for kind, (field, rows, texts, dato, key) in posts.items():
        listed[kind] = shown(ledger.part, rows, texts, dato, key)
        head = made(ledger.part, f'{{"forespurtPart":"<part>","{field}":[')
        writer.write(kind, head, listed[kind].fragments(), "]}")
    overview(ledger, writer, listed["krav"], listed["innbetalinger"])


if __name__ == "__main__":
    write_documents(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
