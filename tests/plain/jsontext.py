"""JSON text as the contract writes it: compact, amounts with two decimals, dates as midnight UTC."""

import json
from datetime import date
from decimal import Decimal
from typing import Any

OERE = Decimal("0.01")


def amount_text(amount: Decimal) -> str:
    """Exactly two decimals; zero never carries a sign."""
    rounded = amount.quantize(OERE)
    if rounded != amount:
        raise ValueError("an amount finer than one oere")
    return "0.00" if rounded == 0 else format(rounded, "f")


def date_text(day: date) -> str:
    """The day as the seed's date-time."""
    return f"{day.isoformat()}T00:00:00.000Z"


def json_text(value: Any) -> str:
    """One value as JSON. A field whose value is None is left out of its object."""
    if isinstance(value, dict):
        fields = (f"{json_text(name)}:{json_text(v)}" for name, v in value.items() if v is not None)
        return "{" + ",".join(fields) + "}"
    if isinstance(value, list):
        return "[" + ",".join(json_text(element) for element in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Decimal):
        return amount_text(value)
    if isinstance(value, date):
        return json_text(date_text(value))
    raise TypeError(f"no JSON for {type(value).__name__}")
