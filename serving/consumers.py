"""The consumers that have an agreement: what each has been granted and how often it may ask."""

import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from serving.errors import KravoversiktError
from serving.numbers import check_part
from serving.routes import RETTIGHETSPAKKER


class Consumer(BaseModel):
    """One consumer. ``navn`` is what logs and metrics call it: its organisation number never stands there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    organisasjonsnummer: Annotated[str, Field(pattern=r"^[0-9]{9}$")]
    navn: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
    rettighetspakker: frozenset[str]
    requests_per_second: Annotated[float, Field(gt=0, le=1_000_000)] = 50
    burst: Annotated[int, Field(ge=1, le=1_000_000)] = 100
    place: int = Field(default=0, exclude=True)
    """Its place in the file, from 1; 0 is shared by all that have no agreement."""


STRANGER = Consumer(organisasjonsnummer="000000000", navn="stranger", rettighetspakker=frozenset())
"""Whoever has a valid token but no agreement: granted nothing."""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    consumer: list[Consumer] = []


MOST = 9_999
"""Consumers in the file: the limits have a place for each, in memory that is set aside at the start."""


class ConsumersError(Exception):
    """The file of consumers is wrong; the message says everything that is."""


def read_consumers(path: Path) -> dict[str, Consumer]:
    """The consumers of a TOML file by organisation number. Raises ``ConsumersError``."""
    try:
        listed = _File.model_validate(tomllib.loads(path.read_text("utf-8"))).consumer
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConsumersError(f"{path.name}: {getattr(error, 'strerror', None) or error}") from error
    except ValidationError as error:
        raise ConsumersError(f"{path.name}: {faults(error)}") from error
    wrong = list(_wrong(listed))
    if wrong:
        raise ConsumersError(f"{path.name}: {'; '.join(wrong)}")
    return {
        consumer.organisasjonsnummer: consumer.model_copy(update={"place": place})
        for place, consumer in enumerate(listed, 1)
    }


def _wrong(listed: list[Consumer]) -> list[str]:
    wrong = [f"consumer {n}: place is not for the file to say" for n, one in enumerate(listed, 1) if one.place]
    if len(listed) > MOST:
        wrong.append(f"more than {MOST} consumers")
    for what in ("organisasjonsnummer", "navn"):
        first = {getattr(consumer, what): n for n, consumer in reversed(list(enumerate(listed, 1)))}
        twice = [n for n, consumer in enumerate(listed, 1) if first[getattr(consumer, what)] != n]
        wrong += [f"consumer {n}: its {what} stands before" for n in twice]
    for number, consumer in enumerate(listed, 1):
        if consumer.rettighetspakker - set(RETTIGHETSPAKKER):
            wrong.append(f"consumer {number}: the rettighetspakker are {', '.join(RETTIGHETSPAKKER)}")
        try:
            check_part(consumer.organisasjonsnummer)
        except KravoversiktError:
            wrong.append(f"consumer {number}: organisasjonsnummer has a wrong check digit")
    return wrong


def faults(error: ValidationError) -> str:
    """What is wrong, field by field, without the values."""
    return "; ".join(
        f"{'.'.join(str(step + 1) if isinstance(step, int) else step for step in fault['loc'])}: {fault['msg']}"
        for fault in error.errors(include_input=False, include_url=False)
    )
