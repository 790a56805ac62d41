"""How stored text must read, as steps for ``scanner``, made of the models of ``schemas.documents``.

A step is a literal, all that always stands between two values, and what follows it. So a text is what its model says
only if it can be walked step by step: its fields in their order and no others, compact, with nothing after it.
"""

from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

import numpy as np
from pydantic import BaseModel

from schemas.documents import (
    Beloep,
    Dato,
    Innbetaling,
    Krav,
    Oversikt,
    OversiktPerKravgruppe,
    Part,
    TotalOversikt,
    Utbetaling,
)
from schemas.store import KINDS
from transforms.reconcile import scanner
from transforms.reconcile.scanner import Steps


class Grammar(NamedTuple):
    """Steps, and the names of the fields that they keep: of an item its model, of an amount model and field,
    ``Kravforfall.gjenstaaendeBeloep``.
    """

    steps: Steps
    fields: tuple[str, ...]


POSTS: dict[str, type[BaseModel]] = {"krav": Krav, "innbetalinger": Innbetaling, "utbetalinger": Utbetaling}
"""What each history is a list of."""

_ITEMS = (*POSTS.values(), Oversikt, TotalOversikt, OversiktPerKravgruppe)
"""The objects that are items; what is nested deeper belongs to them."""

_KEPT = {
    "Krav.opprettelsesdatoForKrav": scanner.DATO,
    "Innbetaling.innbetalingsdato": scanner.DATO,
    "Utbetaling.utbetaltdato": scanner.DATO,
    "Kravforfall.forfallsdato": scanner.FORFALL,
    "Krav.kravgruppe": scanner.GRUPPE,
    "OversiktPerKravgruppe.kravgruppe": scanner.GRUPPE,
}
"""The days and texts that are kept, and as what."""

_IN_QUOTES: dict[Any, tuple[int, str]] = {
    str: (scanner.TEXT, ""),  # read with the quote that ends it
    Part: (scanner.PART, '"'),
    Dato: (scanner.DAY, 'T00:00:00.000Z"'),
}
"""Types of values in quotes, and what follows them."""


class _Assembler:
    """The steps so far, the fields that they keep, and the literal of the next so far."""

    def __init__(self, amount: int, literal: str) -> None:
        self.amount = amount  # the kind of step that every amount is
        self.steps: list[list[int]] = []
        self.fields: list[str] = []
        self.literals, self.literal = b"", literal

    def step(self, kind: int, field: str = "", *, optional: bool = False) -> None:
        begin, self.literals, self.literal = len(self.literals), self.literals + self.literal.encode(), ""
        self.steps.append([begin, len(self.literals), kind, len(self.fields), optional, -1])
        if kind in (scanner.ITEM, self.amount):
            self.fields.append(field)

    def end_literal(self) -> None:
        """Makes a step of the literal, for what comes next may be left out, or was."""
        if self.literal:
            self.step(scanner.NOTHING)

    def may_go_on(self, step: int, other: int) -> None:
        self.steps[step][-1] = other

    def object(self, model: type[BaseModel]) -> None:
        if model in _ITEMS:
            self.step(scanner.ITEM, model.__name__)
        self.literal += "{"
        for name, hint in get_type_hints(model, include_extras=True).items():
            field = f"{model.__name__}.{name}"
            if model.model_fields[name].is_required():
                self.literal += f'"{name}":' if self.literal.endswith("{") else f',"{name}":'
                self.value(hint, field)
            else:
                self.end_literal()
                optional, self.literal = len(self.steps), f',"{name}":'
                self.value(_without_none(hint), field, optional=True)
                self.end_literal()
                self.may_go_on(optional, len(self.steps))
        self.literal += "}"
        if model in POSTS.values():
            self.step(scanner.POST_END)

    def value(self, hint: Any, field: str, *, optional: bool = False) -> None:
        if hint is bool:
            self.step(scanner.FLAG)
        elif hint == Beloep:
            self.step(self.amount, field)
        elif get_origin(hint) is list:
            self.elements(get_args(hint)[0])
        elif isinstance(hint, type) and issubclass(hint, BaseModel):
            self.object(hint)
        else:
            kind, rest = _IN_QUOTES[hint]
            self.literal += '"'
            self.step(_KEPT.get(field, kind), optional=optional)
            self.literal = rest

    def elements(self, model: type[BaseModel]) -> None:
        self.literal += "["
        self.step(scanner.LIST)
        first = len(self.steps)
        self.object(model)
        self.step(scanner.NEXT)
        self.may_go_on(first - 1, len(self.steps))
        self.may_go_on(len(self.steps) - 1, first)


def _without_none(hint: Any) -> Any:
    """The type of a field that may be left out, ``Annotated[<type> | None, …]``."""
    return get_args(get_args(hint)[0])[0]


def _grammar(kind: str) -> Grammar:
    made = _Assembler(scanner.AMOUNT, "") if kind == "oversikt" else _Assembler(scanner.SUM, ",")
    made.object(POSTS.get(kind, Oversikt))
    made.step(scanner.DONE)
    columns = np.array(made.steps, np.int64).T
    literals = np.frombuffer(made.literals, np.uint8)
    return Grammar(Steps(literals, *(column.copy() for column in columns)), tuple(made.fields))


GRAMMARS = {kind: _grammar(kind) for kind in KINDS}
"""That of an overview, of which every amount is kept; those of a post and its comma, whose amounts are added up."""
