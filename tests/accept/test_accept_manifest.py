"""The forms of what a manifest may say (CONTRACT section 1)."""

import pytest

from tests.accept.accepting import edit


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("2026-11-22T23:00+01:00", "2026-11-22T23:00:00+01:00"),
        ("2026-11-22T23:00:07+01:00", "2026-11-22T23:00:07+01:00"),
        ("2026-11-22T22:00:00Z", "2026-11-22T22:00:00+00:00"),
        ("2026-11-22T23:00:00.5+01:00", "2026-11-22T23:00:00.500000+01:00"),
        ("2026-11-22T23:00:00.123456789012-0330", "2026-11-22T23:00:00.123456-03:30"),
    ],
)
def test_moments(place, said, read):
    edit(place.deliver(), lambda manifest: manifest.update(uttrekkstidspunkt=said))
    assert place.night().used["mva"][0].extracted_at.isoformat() == read


@pytest.mark.parametrize(
    "said",
    [
        "2026-11-22T23:00:00",
        "2026-11-22 23:00:00Z",
        "2026-11-22T23:00:00 Z",
        "2026-11-22T23Z",
        "2026-11-22T23:0:00Z",
        "2026-11-22T23:00123Z",
        "2026-11-22T23:00:00123Z",
        "2026-11-22T23:00.5Z",
        "2026-11-22T24:00:00Z",
        "2026-11-31T23:00:00Z",
        "2026-11-22T23:00:00+25:00",
    ],
)
def test_no_moments(place, said):
    edit(place.deliver(), lambda manifest: manifest.update(uttrekkstidspunkt=said))
    assert place.reasons() == [("L1-MANIFEST-FIELD", "manifest.json")]


@pytest.mark.parametrize("said", ["79.5", "79.50", "00079.50", "0" * 5000 + "79.5"])
def test_control_sums(place, said):
    edit(place.deliver(), lambda manifest: manifest["tabeller"]["krav"].update(kontrollsum=said))
    assert place.reasons() == []


@pytest.mark.parametrize("said", ["-79.50", "79.51", "79", "9" * 40])
def test_other_control_sums(place, said):
    edit(place.deliver(), lambda manifest: manifest["tabeller"]["krav"].update(kontrollsum=said))
    assert place.reasons() == [("L1-CONTROL-SUM", "manifest.json")]


@pytest.mark.parametrize("said", ["79.500", "79,50", "+79.50", " 79.50", "79.", ".5", "", "7e1", "79.50\n", "٧٩"])
def test_no_control_sums(place, said):
    edit(place.deliver(), lambda manifest: manifest["tabeller"]["krav"].update(kontrollsum=said))
    assert place.reasons() == [("L1-MANIFEST-FIELD", "manifest.json")]


@pytest.mark.parametrize("said", [None, "7", 7, "none"])
def test_a_control_sum_of_part_is_an_extra_field(place, said):
    edit(place.deliver(), lambda manifest: manifest["tabeller"]["part"].update(kontrollsum=said))
    assert place.reasons() == []


def test_a_sha256_of_either_case(place):
    def shout(manifest):
        for table in manifest["tabeller"].values():
            for file in table["filer"]:
                file["sha256"] = file["sha256"].upper()

    edit(place.deliver(), shout)
    assert place.reasons() == []
