"""What Dagster is told of a home: sources, stages and what is published, with owners and columns."""

import pytest

from pipelines.columns import document_columns, published_columns, published_lineage
from pipelines.definitions import JOB, build_definitions
from pipelines.known import Known
from pipelines.resources import NightResource
from pipelines.sources import source_key
from pipelines.starts import make_schedule
from schemas.documents import DOCUMENTS
from schemas.operations import Operations, Source
from schemas.published import PUBLISHED
from schemas.tables import TABLES


@pytest.fixture(scope="module")
def location(tmp_path_factory):
    known = Known(tmp_path_factory.mktemp("inbox"), inbox={"mva": [1]})
    operations = Operations(owner="innkreving", sources={"skatt": Source(required=False)})
    return build_definitions(NightResource(), known=known, operations=operations)


@pytest.fixture(scope="module")
def specs(location):
    return {spec.key.to_user_string(): spec for spec in location.resolve_all_asset_specs()}


def test_the_graph_goes_from_sources_through_the_stages_to_what_is_published(specs):
    deps = {name: sorted(dep.asset_key.to_user_string() for dep in spec.deps) for name, spec in specs.items()}
    assert deps == {
        **{"kilde/mva": [], "kilde/skatt": [], "deliveries": ["kilde/mva", "kilde/skatt"]},
        **{"posts": ["deliveries"], "buckets": ["posts"], "documents": ["buckets"], "snapshot": ["documents"]},
        **{f"dokument/{kind}": ["snapshot"] for kind in DOCUMENTS},
        "analytics": ["snapshot"],
    }


def test_every_asset_has_an_owner_a_group_a_description_and_kinds(specs):
    assert {tuple(spec.owners) for spec in specs.values()} == {("team:innkreving",)}
    assert {spec.group_name for spec in specs.values()} == {"kilder", "night", "published"}
    assert [name for name, spec in specs.items() if not (spec.description and spec.kinds)] == []
    required = {name: spec.tags.get("kravoversikt/required") for name, spec in specs.items() if "kilde" in name}
    assert required == {"kilde/mva": "true", "kilde/skatt": "false"}


def test_the_job_is_the_stages_and_nothing_else(location):
    keys = location.resolve_job_def(JOB).asset_layer.executable_asset_keys
    assert {key.to_user_string() for key in keys} == {"deliveries", "posts", "buckets", "documents", "snapshot"}
    assert make_schedule(location.resolve_job_def(JOB)).job_name == JOB


def test_columns_are_those_of_the_schemas():
    assert [column.name for column in published_columns().columns] == [
        f"{table.name}.{column.name}" for table in PUBLISHED.values() for column in table.shown
    ]
    names = [column.name for column in document_columns("oversikt").columns]
    assert names[0] == "forespurtPart"
    assert "aapentKravMedGjenstaaendeBeloep[].kravforfall[].plassertInnbetaling[].betaltFra.konto.iban" in names
    assert "totalOversikt.saldo" in names


def test_columns_come_from_delivered_ones():
    lineage = published_lineage(source_key("mva")).deps_by_column
    delivered = {f"{table.name}.{column}" for table in TABLES.values() for column in table.names}
    assert {dep.column_name for deps in lineage.values() for dep in deps} <= delivered
    assert [dep.column_name for dep in lineage["krav.opprinnelig_beloep"]] == ["krav.opprinnelig_beloep"]
    assert "kravforfall.opprinnelig_beloep" in {dep.column_name for dep in lineage["krav.gjenstaaende_beloep"]}
    assert {column.name for column in published_columns().columns} & delivered <= lineage.keys()


def test_over_a_slip_in_what_is_settled_the_location_loads(tmp_path, monkeypatch):
    """Or the UI would show a stack trace; a night then says what is wrong, and does not begin."""
    (tmp_path / "operations.toml").write_text("a slip")
    monkeypatch.setenv("KRAVOVERSIKT_OPERATIONS", str(tmp_path / "operations.toml"))
    definitions = build_definitions(NightResource(home=str(tmp_path)), known=Known(tmp_path))
    owners = {tuple(spec.owners) for spec in definitions.resolve_all_asset_specs()}
    assert owners == {("team:kravoversikt",)}
