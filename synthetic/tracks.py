"""The kinds of claim that the ledgers hold: in which ledger, how large, how they are named."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum


class Track(IntEnum):
    """A kind of claim that comes again every term or year; part of every identifier, so never renumber."""

    VAT = 0
    PAYROLL = 1
    WITHHOLDING = 2
    ADVANCE_PERSON = 3
    ADVANCE_COMPANY = 4
    SETTLEMENT_PERSON = 5
    SETTLEMENT_COMPANY = 6
    DUTY = 7
    FEE = 8
    INTEREST = 9
    INTEREST_CREDIT = 10


IN_MVA = (Track.VAT, Track.DUTY)
"""The tracks of the ledger ``mva``; the others are ``skatt``'s, interest follows its claim."""

TWO_MONTHS = (Track.VAT, Track.PAYROLL, Track.WITHHOLDING)
SETTLEMENTS = (Track.SETTLEMENT_PERSON, Track.SETTLEMENT_COMPANY)


@dataclass(frozen=True)
class Kind:
    """What a track's claims look like."""

    title: str
    kravgruppe: str
    percent: int  # of the part's size
    lead: int  # days from the claim's making to its first due date, at least
    spread: int  # and at most as many more
    debit: Sequence[str]  # kravtyper, the more often listed the more often met
    credit: Sequence[str] = ()


_INTEREST_CREDIT = ("Fors.rente kredit", "Fors.rente kredit", "forsinkelsesrenteKredit")

KINDS = {
    Track.VAT: Kind(
        "Merverdiavgift",
        "Merverdiavgift",
        100,
        0,
        25,
        ("åBetaleMva", "åBetaleMva", "åBetaleMva", "fastsettingMva", "Merverdiavgift", "ehandelMva"),
        ("tilgodeMva", "tilgodeMva", "Merverdiavgift tilgode"),
    ),
    Track.PAYROLL: Kind(
        "Arbeidsgiveravgift",
        "Arbeidsgiveravgift",
        60,
        5,
        15,
        ("arbeidsgiveravgift", "arbeidsgiveravgiftTerminvis", "Arbeidsgiveravgift"),
    ),
    Track.WITHHOLDING: Kind(
        "Forskuddstrekk", "Forskuddstrekk", 110, 5, 15, ("forskuddstrekk", "forskuddstrekk", "Forskuddstrekk")
    ),
    Track.ADVANCE_PERSON: Kind(
        "Forskuddsskatt", "Skatt", 150, 45, 30, ("utskrevetForskuddsskattPerson", "Forskuddsskatt")
    ),
    Track.ADVANCE_COMPANY: Kind("Forskuddsskatt", "Skatt", 80, 30, 20, ("utskrevetForskuddsskatt",)),
    Track.SETTLEMENT_PERSON: Kind(
        "Skatteoppgjør", "Skatt", 50, 21, 10, ("restskattPerson", "Restskatt"), ("Overskytende skatt",)
    ),
    Track.SETTLEMENT_COMPANY: Kind(
        "Skatteoppgjør", "Skatt", 90, 21, 10, ("restskatt", "Restskatt"), ("Overskytende skatt",)
    ),
    Track.DUTY: Kind(
        "Særavgift",
        "Særavgift",
        3,
        5,
        5,
        ("særavgift", "sjokoladeavgift", "engangsavgiftKreditt", "innførselTollkreditt"),
    ),
    Track.FEE: Kind(
        "Gebyr",
        "Andre krav",
        0,
        21,
        1,
        ("gebyrAndre", "tvangsmulktSkattemelding", "tilleggsskatt", "Gebyr", "tvangsmulktMva"),
    ),
    Track.INTEREST: Kind(
        "Forsinkelsesrente",
        "Andre krav",
        0,
        21,
        1,
        ("Forsinkelsesrente", "Forsinkelsesrente", "forsinkelsesrente"),
    ),
    Track.INTEREST_CREDIT: Kind(
        "Retting av forsinkelsesrente", "Andre krav", 0, 21, 1, _INTEREST_CREDIT, _INTEREST_CREDIT
    ),
}

UNKNOWN = ("Mva (gammelt system)", "konvertertKrav1999", 'Særkrav "K-17"')
"""Kravtyper that the reference data don't have: an extract may always hold some."""


def known() -> set[str]:
    """All kravtyper that the generator uses and the reference data know."""
    return {name for kind in KINDS.values() for name in (*kind.debit, *kind.credit)}
