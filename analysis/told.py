"""An explanation as a person would tell it: a line a step, amounts to the right, the figure itself last."""

from collections.abc import Iterable, Iterator
from decimal import Decimal

from analysis.figures import Explanation, Forfall, Krav, Placement, Row, Total
from transforms.rules.interest import LEAST_KRONER

WIDTH = 100


def told(explanation: Explanation) -> str:
    """The whole explanation."""
    owner = f", with those of its owner {explanation.innehaver}" if explanation.innehaver else ""
    lines = [f"part {explanation.part}{owner}; its documents of {explanation.snapshotdato}"]
    lines += [f"published in {explanation.snapshot}", *_held_back(explanation), ""]
    lines += _krav(explanation.krav) if explanation.krav else []
    lines += _total(explanation.total) if explanation.total else []
    return "\n".join(lines)


def _held_back(explanation: Explanation) -> Iterator[str]:
    if held := explanation.holdt_tilbake:
        yield f"held back since {held.siden} ({', '.join(held.koder)}): its documents stay as they were"


def kroner(amount: Decimal) -> str:
    """``-1 234.50``."""
    return f"{amount:,.2f}".replace(",", " ")


def _line(text: str, amount: Decimal | None = None, source: str = "") -> str:
    """The text to the left, the amount to the right, then where it is from."""
    figure = f" {kroner(amount)}" if amount is not None else ""
    return f"{text:<{WIDTH - len(figure)}}{figure}{'   ' + source if source else ''}".rstrip()


def _from(rows: Iterable[Row]) -> str:
    places = [f"{row.kilde} {row.leveransenummer:06d} {row.fil} row {row.rad}" for row in rows]
    return "; ".join(places) or "no longer among the deliveries in force"


def _krav(krav: Krav) -> Iterator[str]:
    yield _line(f"krav {krav.kravidentifikator}: {krav.kravbeskrivelse} ({krav.kravtype}), {krav.kravgruppe}")
    yield _line(f"of part {krav.part}; original", krav.opprinnelig_beloep, _from(krav.rader))
    for forfall in krav.forfall:
        yield ""
        yield from _forfall(forfall)
    yield ""
    yield _line(
        f"what remains of the krav, over its due dates: {'open' if krav.aapent else 'settled'}",
        krav.gjenstaaende_beloep,
    )
    yield _line("stipulerte renter of the krav, over its due dates", krav.stipulerte_renter)


def _forfall(forfall: Forfall) -> Iterator[str]:
    yield _line(f"due date {forfall.kravforfallsidentifikator}, due {forfall.forfallsdato}")
    yield _line("  original", forfall.opprinnelig_beloep, _from(forfall.rader))
    for placed in forfall.plasseringer:
        yield _line(f"  {_placement(placed)}", placed.beloep, _from(placed.rader))
    yield _line("  remaining", forfall.gjenstaaende_beloep)
    if forfall.hvorfor_ikke:
        yield _line(f"  no interest: {forfall.hvorfor_ikke}")
    for period in forfall.perioder:
        days = f"{period.fra} through {period.til}: {period.dager} days × {period.sats:.2f} % ÷ 365"
        yield _line(f"    {days:<56} {float(period.renter):>14.4f}")
    if forfall.perioder:
        exact = forfall.renter_foer_avrunding
        down = f", rounded down to {kroner(Decimal(int(exact)))}"
        least = f"; under {LEAST_KRONER} it is 0" if exact < LEAST_KRONER else ""
        yield _line(f"    {'in all':<56} {float(exact):>14.4f}{down}{least}")
    yield _line("  stipulerte renter", forfall.stipulerte_renter)


def _placement(placed: Placement) -> str:
    motkrav = "motkrav" if placed.beloep < 0 else "used as motkrav for"
    kind = {"INNBETALING": "payment", "MOTKRAV": motkrav, "UTBETALING": "payout"}[placed.plasseringstype]
    whose = f" of part {placed.motpart}" if placed.motpart else ""
    return f"{kind} {placed.motpost}{whose}, placed {placed.plasseringsdato} ({placed.plasseringsidentifikator})"


def _total(total: Total) -> Iterator[str]:
    if total.av:
        for one in total.av:
            yield _line(one.navn, one.beloep)
    for item in total.poster:
        krav = f" of krav {item.krav}, {item.kravgruppe}," if item.krav else ""
        yield _line(f"{item.post}{krav} of part {item.part}", item.beloep)
    yield _line(total.navn, total.beloep)
