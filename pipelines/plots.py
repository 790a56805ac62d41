"""Pictures of a night, as SVG written by hand, which a Markdown text holds in itself: nothing is fetched from anywhere.

Dagster's UI takes pictures out of Markdown from ``data:`` addresses, not SVG as such. A text of less than ``INLINE``
characters it shows at once, a longer one when asked to: so there are small pictures and a large one.
"""

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from pipelines.figures import Debts, OneNight

WIDTH, ROW, LEFT, HEAD = 640, 20, 170, 30
PLOT = 110
"""The height of a plot over nights."""
BLUE, RED, GREY, TEXT = "#3b6fb6", "#c0392b", "#b8bec6", "#222"
STAGES = ("#3b6fb6", "#5aa469", "#e0a030", "#8e5ea2", "#c0392b", "#7f8c8d")


INLINE = 1000
"""Of so many characters a Markdown text is too long for the UI to show at once."""


def markdown(svg: str, told: str) -> str:
    """The picture as Markdown, with what it tells in words."""
    return f"![{told}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"


def picture(parts: Sequence[tuple[int, str]]) -> str:
    """Parts of a picture, each its height and its SVG, one below the other."""
    height = sum(tall for tall, _ in parts)
    placed, top = [], 0
    for tall, svg in parts:
        placed.append(f'<g transform="translate(0 {top})">{svg}</g>')
        top += tall
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="sans-serif" font-size="12"><rect width="{WIDTH}" height="{height}" fill="#fff"/>'
        f"{''.join(placed)}</svg>"
    )


def small(values: Mapping[str, float], told: str, form: str = ",.0f") -> str:
    """Bars with their names and values, as Markdown that the UI shows at once: as many of the first as there is room
    for. ``form``: how a value is written, as ``format`` takes it.
    """
    shown = list(values.items())
    while len(text := markdown(_small(shown, form), told)) >= INLINE and shown:
        shown.pop()
    return text


def _small(shown: Sequence[tuple[str, float]], form: str) -> str:
    most = max((abs(value) for _, value in shown), default=0) or 1
    bars = "".join(f"M120 {9 + 16 * n}h{180 * abs(value) / most:.0f}" for n, (_, value) in enumerate(shown))
    texts = "".join(
        f"<tspan x='0' y='{13 + 16 * n}'>{escape(name[:20])}</tspan><tspan x='305'>{_spaced(value, form)}</tspan>"
        for n, (name, value) in enumerate(shown)
    )
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='390' height='{16 * len(shown) + 4}' font-size='12' "
        f"font-family='sans-serif'><path d='{bars}' stroke='{BLUE}' stroke-width='11'/><text>{texts}</text></svg>"
    )


def _spaced(value: float, form: str) -> str:
    return format(value, form).replace(",", " ")


def of_the_night(debts: Debts, nights: Sequence[OneNight], limit: float) -> str:
    """The large picture: what is owed, per kravgruppe and by age; what was held back and refused, and the seconds of
    each stage, over the last nights. ``limit``: of the share held back.
    """
    groups = _bars("What remains of open krav per kravgruppe, kroner", debts.by_group)
    return picture([groups, _bars("Debt by age, kroner", debts.by_age), *_of_nights(nights, limit)])


def _of_nights(nights: Sequence[OneNight], limit: float) -> list[tuple[int, str]]:
    days = [f"{night.day:%d.%m}" for night in nights]
    told = f"Parts held back, percent (the limit is {limit:.2%})"
    held = _columns(told, days, [[(100 * night.held_back, BLUE if night.published else RED)] for night in nights])
    refused = _columns(
        "Rows and deliveries refused (red: the night was not published)",
        days,
        [[(night.refused, BLUE if night.published else RED)] for night in nights],
    )
    names = list(dict.fromkeys(name for night in nights for name in night.seconds))
    colours = dict(zip(names, STAGES, strict=False))
    stacks = [[(night.seconds.get(name, 0.0), colours.get(name, GREY)) for name in names] for night in nights]
    return [held, refused, _columns("Seconds per stage", days, stacks), _legend(colours)]


def _bars(title: str, values: dict[str, float]) -> tuple[int, str]:
    """A bar for each, along; one below 0 in red."""
    most = max((abs(value) for value in values.values()), default=0) or 1
    room = WIDTH - LEFT - 110
    lines = [_text(8, 18, title, bold=True)]
    for n, (name, value) in enumerate(values.items()):
        top, long = HEAD + n * ROW, room * abs(value) / most
        lines.append(_text(LEFT - 8, top + 13, name[:28], anchor="end"))
        lines.append(_rect(LEFT, top + 2, long, ROW - 5, BLUE if value >= 0 else RED))
        lines.append(_text(LEFT + long + 6, top + 13, _spaced(value, ",.0f")))
    return HEAD + ROW * len(values) + 10, "".join(lines)


def _columns(title: str, names: Sequence[str], stacks: Sequence[Iterable[tuple[float, str]]]) -> tuple[int, str]:
    """A column for each night, of one piece or of several upon each other, each with its colour."""
    pieces = [list(stack) for stack in stacks]
    sums = [sum(value for value, _ in stack) for stack in pieces]
    most = max(sums, default=0) or 1
    step = (WIDTH - 60) / max(len(pieces), 1)
    base = HEAD + 14 + PLOT
    lines = [_text(8, 18, title, bold=True), _rect(40, base, WIDTH - 60, 1, GREY)]
    for n, (name, stack, total) in enumerate(zip(names, pieces, sums, strict=True)):
        left, bottom = 40 + n * step, float(base)
        for value, colour in stack:
            tall = PLOT * value / most
            bottom -= tall
            lines.append(_rect(left + 3, bottom, min(step - 6, 40), tall, colour))
        lines.append(_text(left + 3, bottom - 3, _spaced(total, ",.0f" if total >= 100 else ".3g"), size=10))
        lines.append(_text(left + 3, base + 14, name, size=10))
    return base + 26, "".join(lines)


def _legend(colours: dict[str, str]) -> tuple[int, str]:
    lines = [
        _rect(40 + n * 95, 2, 10, 10, colour) + _text(54 + n * 95, 11, name)
        for n, (name, colour) in enumerate(colours.items())
    ]
    return 24, "".join(lines)


def _rect(left: float, top: float, wide: float, tall: float, colour: str) -> str:
    return f'<rect x="{left:.1f}" y="{top:.1f}" width="{wide:.1f}" height="{tall:.1f}" fill="{colour}"/>'


def _text(left: float, base: float, words: str, *, anchor: str = "start", bold: bool = False, size: int = 12) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{left:.1f}" y="{base:.1f}" text-anchor="{anchor}" font-size="{size}"{weight} fill="{TEXT}">'
        f"{escape(words)}</text>"
    )
