"""Columns of the assets, and which column comes from which, as Dagster shows them: from the tables' schemas.

An asset here is several tables, so that its columns are told as ``<table>.<column>``; of a document as the path to a
field.
"""

import types
import typing
from collections.abc import Iterator

import dagster as dg
from pydantic import BaseModel

from schemas.documents import DOCUMENTS
from schemas.published import PUBLISHED
from schemas.tables import TABLES, Column, Kind

SCHEMA, LINEAGE = "dagster/column_schema", "dagster/column_lineage"
"""The keys under which Dagster's UI looks for them."""

MADE_OF = {
    "gjenstaaende_beloep": ("kravforfall.opprinnelig_beloep", "plassering.plassert_beloep"),
    "uplassert_beloep": ("innbetaling.innbetalt_beloep", "plassering.plassert_beloep"),
    "stipulerte_renter": ("kravforfall.forfallsdato", "kravforfall.opprinnelig_beloep", "plassering.plassert_beloep"),
    "forfalte_krav": ("kravforfall.forfallsdato", "kravforfall.opprinnelig_beloep", "plassering.plassert_beloep"),
    "ikke_forfalte_krav": ("kravforfall.forfallsdato", "kravforfall.opprinnelig_beloep", "plassering.plassert_beloep"),
    "uplasserte_innbetalinger": ("innbetaling.innbetalt_beloep", "plassering.plassert_beloep"),
    "renteberegnes": ("krav.kravtype",),
    "kravgruppe": ("krav.kravgruppe", "krav.kravtype"),
    "kravbeskrivelse": ("krav.kravbeskrivelse", "krav.kravtype"),
    "aapent": ("kravforfall.opprinnelig_beloep", "plassering.plassert_beloep"),
    "antall_forfall": ("kravforfall.kravidentifikator",),
    "forfalt": ("kravforfall.forfallsdato",),
    "saldo": ("kravforfall.opprinnelig_beloep", "innbetaling.innbetalt_beloep", "plassering.plassert_beloep"),
    "forespurt_part": ("part.part", "part.innehaver"),
    "ende": ("plassering.plasseringstype",),
    "post": ("plassering.kravforfallsidentifikator", "plassering.motpost"),
}
"""By published column that no delivered one of its name and table is: the delivered ones that it is made of (CONTRACT
section 3)."""

WHOSE = {
    "kravforfall.part": ("krav.part",),
    "plassering.part": ("krav.part", "innbetaling.part", "utbetaling.part"),
}
"""The same of those that say whose a row is, by table and name."""


TYPES = {Kind.DATE: "date", Kind.FLAG: "boolean", Kind.AMOUNT: "decimal(18,2)", Kind.POSITIVE_AMOUNT: "decimal(18,2)"}
"""Of what is delivered; text where not named."""


def delivered_columns() -> dg.TableSchema:
    """Of what a source delivers."""
    columns = [(table.name, column) for table in TABLES.values() for column in table.columns]
    return dg.TableSchema([_delivered(table, column) for table, column in columns])


def _delivered(table: str, column: Column) -> dg.TableColumn:
    told = ["the key"] if TABLES[table].key == column.name else []
    told += ["an organisation or national number"] if column.kind is Kind.NUMBER else []
    told += ["> 0"] if column.kind is Kind.POSITIVE_AMOUNT else []
    told += [f"one of {', '.join(column.codes)}"] if column.codes else []
    told += [f"names a {' or '.join(column.refers_to)}"] if column.refers_to else []
    return dg.TableColumn(
        f"{table}.{column.name}",
        TYPES.get(column.kind, "text"),
        "; ".join(told) or None,
        dg.TableColumnConstraints(nullable=column.nullable, unique=TABLES[table].key == column.name),
    )


def published_columns() -> dg.TableSchema:
    """Of the published tables, as analysts see them."""
    return dg.TableSchema(
        [
            dg.TableColumn(f"{table.name}.{column.name}", column.holds.value.shown, column.told)
            for table in PUBLISHED.values()
            for column in table.shown
        ]
    )


def document_columns(kind: str) -> dg.TableSchema:
    """Of a kind of document: its fields, those of a list under ``<list>[]``."""
    return dg.TableSchema([dg.TableColumn(path, of, told) for path, of, told in _fields(DOCUMENTS[kind], "")])


def _fields(model: type[BaseModel], above: str) -> Iterator[tuple[str, str, str | None]]:
    for name, field in model.model_fields.items():
        inner, is_list = _within(field.annotation)
        path = f"{above}{name}{'[]' * is_list}"
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _fields(inner, f"{path}.")
        else:
            yield path, "boolean" if inner is bool else "number" if "Decimal" in str(inner) else "string", None


def _within(annotation: object) -> tuple[object, bool]:
    """The type in a list or beside None, and whether it is in a list."""
    args = [arg for arg in typing.get_args(annotation) if arg is not types.NoneType]
    is_list = typing.get_origin(annotation) is list
    if is_list or typing.get_origin(annotation) in (types.UnionType, typing.Union):
        return _within(args[0])[0], is_list
    return annotation, False


def published_lineage(of: dg.AssetKey) -> dg.TableColumnLineage:
    """Which delivered columns, of the asset ``of``, a published one is made of."""
    return dg.TableColumnLineage(
        {
            f"{table.name}.{column.name}": [dg.TableColumnDep(of, name) for name in deps]
            for table in PUBLISHED.values()
            for column in table.shown
            if (deps := _made_of(table.name, column.name))
        }
    )


def _made_of(table: str, column: str) -> tuple[str, ...]:
    if column in MADE_OF:
        return MADE_OF[column]
    delivered = TABLES.get(table)
    same = delivered is not None and column in delivered.names
    return (f"{table}.{column}",) if same else WHOSE.get(f"{table}.{column}", ())
