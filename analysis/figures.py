"""What an explanation says, as data: each class is one figure and what it is made of. Amounts are kroner.

The signs are the documents': what reduces a debit is < 0, what reduces a credit > 0 (CONTRACT section 3).
"""

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Annotated

from pydantic import BaseModel, ConfigDict, PlainSerializer

Kroner = Annotated[Decimal, PlainSerializer(lambda kroner: f"{kroner:.2f}", return_type=str)]
Exact = Annotated[Fraction, PlainSerializer(lambda kroner: f"{float(kroner):.6f}", return_type=str)]
"""Kroner before they are rounded: six decimals are shown, more are reckoned with."""


class _Figure(BaseModel):
    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)


class Row(_Figure):
    """A delivered row: where it came from. ``slettet``: it removed its key."""

    kilde: str
    leveransenummer: int
    fil: str
    rad: int
    slettet: bool


class Placement(_Figure):
    """What is placed on or from a post; ``motpost``: the identifier of the post at the other end, ``motpart`` whose it
    is, null when that has no documents.
    """

    plasseringsidentifikator: str
    plasseringstype: str
    plasseringsdato: date | None
    beloep: Kroner
    motpost: str
    motpart: str | None
    rader: tuple[Row, ...]


class RatePeriod(_Figure):
    """Days with one rate (``sats``, percent a year), both ends included, and what the remaining bears in them."""

    fra: date
    til: date
    dager: int
    sats: Kroner
    renter: Exact


class Forfall(_Figure):
    """A due date. ``hvorfor_ikke``: why it bears no interest, when it bears none."""

    kravforfallsidentifikator: str
    forfallsdato: date
    opprinnelig_beloep: Kroner
    rader: tuple[Row, ...]
    plasseringer: tuple[Placement, ...]
    gjenstaaende_beloep: Kroner
    forfalt: bool
    hvorfor_ikke: str | None
    perioder: tuple[RatePeriod, ...]
    renter_foer_avrunding: Exact
    stipulerte_renter: Kroner


class Krav(_Figure):
    """A krav and its due dates."""

    kravidentifikator: str
    part: str
    kravtype: str
    kravbeskrivelse: str
    kravgruppe: str
    opprinnelig_beloep: Kroner
    rader: tuple[Row, ...]
    forfall: tuple[Forfall, ...]
    gjenstaaende_beloep: Kroner
    aapent: bool
    stipulerte_renter: Kroner


class Item(_Figure):
    """One of the posts that a total sums: a krav's due date, or a payment."""

    post: str
    krav: str | None
    kravgruppe: str | None
    part: str
    beloep: Kroner


class Total(_Figure):
    """A total of an overview, and all that it sums; of ``saldo`` the other totals."""

    navn: str
    poster: tuple[Item, ...]
    av: tuple["Total", ...] = ()
    beloep: Kroner


class HeldBack(_Figure):
    """Since when a part is held back, and the reasons that it comes from."""

    siden: date
    koder: tuple[str, ...]


class Explanation(_Figure):
    """What is explained of a part's documents: krav, a due date of one, or totals.

    ``snapshotdato``: the date of the part's documents, ``snapshot`` the one that they are published in, and that is
    read. ``holdt_tilbake``: in the snapshot that is published now.
    """

    part: str
    innehaver: str | None
    snapshot: str
    snapshotdato: date
    holdt_tilbake: HeldBack | None = None
    krav: Krav | None = None
    total: Total | None = None
