"""The macros of the analysts' database; the SQL is in ``transforms/publish``."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Macro:
    """A macro of the database. ``columns``: what it gives, of a table macro."""

    name: str
    parameters: str
    told: str
    columns: tuple[str, ...] = ()

    @property
    def comment(self) -> str:
        """What the database says of it."""
        return self.told.replace("`", "")

    @property
    def call(self) -> str:
        """As it is called."""
        return f"{self.name}({self.parameters})"


MACROS = {
    macro.name: macro
    for macro in (
        Macro(
            "saldo", "nr", "The balance of a part as its overview has it, in kroner; null for one without documents."
        ),
        Macro(
            "renter",
            "beloep, fra, til, paaslag := 0",
            "The interest in whole kroner of an amount that was due on `fra`, through the day `til`, as the documents "
            "reckon it: rounded down, and 0 under 50. For what-if, `paaslag` percentage points are added to all rates.",
        ),
        Macro("aldersgruppe", "dager", "The age band of so many days overdue."),
        Macro(
            "aldersfordelt",
            "",
            "What remains of debits, by kravgruppe and age band.",
            ("kravgruppe", "aldersgruppe", "antall", "gjenstaaende_beloep", "stipulerte_renter"),
        ),
        Macro(
            "uplassert_etter_alder",
            "",
            "Payments that are not placed, by the age band of the days since they were paid.",
            ("aldersgruppe", "antall", "uplassert_beloep"),
        ),
        Macro(
            "betalt_i_tide",
            "fra, til",
            "Of debits due on the days `fra` through `til`, by kravgruppe: what they were, what of it was paid on or "
            "before the due date, paid after it, netted, and what remains. The last four sum to the first.",
            (
                *("kravgruppe", "antall", "opprinnelig_beloep"),
                *("betalt_i_tide", "betalt_for_sent", "motregnet", "gjenstaaende_beloep"),
            ),
        ),
    )
}
"""All macros by name."""
