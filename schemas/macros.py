"""The macros of the analysts' database; the SQL is in ``transforms/publish``."""

from dataclasses import dataclass

from schemas.published import PUBLISHED


@dataclass(frozen=True)
class Macro:
    """A macro of the database. ``columns``: what it gives, of a table macro; or it gives what the view ``like`` has."""

    name: str
    parameters: str
    told: str
    columns: tuple[str, ...] = ()
    like: str = ""

    @property
    def is_table(self) -> bool:
        """Whether it stands where a table does."""
        return bool(self.columns or self.like)

    @property
    def comment(self) -> str:
        """What the database says of it."""
        return self.told.replace("`", "")

    @property
    def call(self) -> str:
        """As it is called."""
        return f"{self.name}({self.parameters})"


AS_OF = (
    *PUBLISHED,
    *("forfall", "husholdning", "plassert_innbetaling", "plassert_motkrav", "plassert_utbetaling"),
    *("innbetaling_mot_forfall", "findings", "avvist", "holdt_tilbake"),
)
"""The views that can be read of an earlier night, in an order in which each comes after those that it names."""

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
        *(
            Macro(
                f"{name}_as_of", "dato", f"`{name}` as the night of the date `dato` has it, if it is kept.", like=name
            )
            for name in AS_OF
        ),
        Macro(
            "endringer",
            "fra, til",
            "Posts that are new, changed or gone, from the snapshot published before this one to this, or from one "
            "kept night to another (`fra := '2026-11-20'`). What only the date moves, interest, is no change. "
            "Placements are told at their due date's end. Of the first night there are none.",
            ("tabell", "noekkel", "part", "endring", "kolonner", "beloep_foer", "beloep"),
        ),
        Macro(
            "saldobro",
            "fra, til",
            "From the balance of that night to this one's, by kravgruppe; kravgruppe null: payments not placed. What "
            "remained with its interest (`aapning`), what remains of new krav, the change in what remains of those "
            "that both have, what remained of those gone, the change in interest, and the sum of these (`lukning`).",
            ("kravgruppe", "aapning", "nye", "endret", "borte", "renter", "lukning"),
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
