"""Who may see what: consents, limits and agreements, each by itself."""

import math

import pytest

from serving.consent import Consent, Consents, consent_of_altinn, consents_in_details, moment, number_of
from serving.consumers import ConsumersError, read_consumers
from serving.errors import KravoversiktError
from serving.limits import Limits
from serving.throwaway import CONSUMER, actor, urn

PART, PERSON = "310478717", "01810001050"
OURS = "ske-samtykke-krav-og-betalinger"


# Consents


def test_a_consent_ends():
    consents = Consents([Consent(PART, CONSUMER, 100.0)], clock=lambda: now)
    now = 99.9
    assert consents.cover(PART, CONSUMER)
    now = 100.0
    assert not consents.cover(PART, CONSUMER)


def test_a_consent_is_one_parts_to_one_consumer():
    consents = Consents([Consent(PART, CONSUMER, math.inf), Consent(PERSON, "111111111", math.inf)])
    assert consents.cover(PART, CONSUMER)
    assert not consents.cover(PERSON, CONSUMER)
    assert not consents.cover(PART, "111111111")


def detail(**changed):
    return {"type": "urn:altinn:consent", "from": urn(PART), "to": actor(CONSUMER), "validTo": 10**10} | changed


@pytest.mark.parametrize(
    "details",
    [
        [detail()],
        detail(),
        [detail(to=urn(CONSUMER))],
        [{"type": "something else"}, {"type": []}, "rubbish", None, detail()],
        [detail(consentRights=[{"resource": [{"type": "urn:altinn:resource", "value": OURS}]}])],
        [detail(consentRights=[{"resource": []}, {"resource": [{"value": "x"}, {"value": OURS}]}])],
        [{"type": "urn:altinn:systemuser", "systemuser_org": actor(PART)}],
        [
            {
                "type": "urn:altinn:systemuser",
                "systemuser_org": {"authority": "iso6523-actorid-upis", "id": f"0192:{PART}"},
            }
        ],
    ],
    ids=str,
)
def test_details_that_hold_a_consent(details):
    assert consents_in_details(details, CONSUMER, OURS).cover(PART, CONSUMER)


@pytest.mark.parametrize(
    "rights",
    [
        [],
        {},
        "x",
        [{"resource": [{"value": [OURS]}]}],
        [{"resource": OURS}],
        [{"resource": [OURS]}],
        [{"resource": [{"value": "income"}]}],
        [None],
    ],
    ids=str,
)
def test_a_consent_to_something_else(rights):
    assert not consents_in_details([detail(consentRights=rights)], CONSUMER, OURS).cover(PART, CONSUMER)


def test_a_number_too_long_to_be_written():
    """It may stand where a word is looked for: ``str`` would raise."""
    rights = [{"resource": [{"value": 10**5000}]}]
    given = [{"type": 10**5000}, detail(consentRights=rights)]
    assert not consents_in_details(given, CONSUMER, OURS).cover(PART, CONSUMER)


@pytest.mark.parametrize("services", [["5928_202301"], "5928_202301", ["x", "5928_202301,a=b"]], ids=str)
def test_altinns_services(services):
    claims = {"OfferedBy": PERSON, "CoveredBy": CONSUMER, "Services": services, "ValidToDate": 10**11}
    assert consent_of_altinn(claims, "5928_202301").cover(PERSON, CONSUMER)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (urn(PART), PART),
        (urn(PERSON), PERSON),
        (actor(PART), PART),
        (PART, None),
        (None, None),
        ([], None),
        ({"authority": "other", "ID": f"0192:{PART}"}, None),
        ({"authority": "iso6523-actorid-upis", "ID": PART}, None),
        ({"authority": "iso6523-actorid-upis", "ID": f"0192:{PART}0"}, None),
        ({"authority": "iso6523-actorid-upis", "ID": "0192:" + "٣" * 9}, None),
        ({"authority": "iso6523-actorid-upis", "ID": 192}, None),
    ],
    ids=str,
)
def test_numbers(value, number):
    assert number_of(value) == number


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (5, 5.0),
        (5.5, 5.5),
        ("1970-01-01T01:00:00+01:00", 0.0),
        ("1970-01-01T00:00:00Z", 0.0),
        ("1970-01-01T00:00:00.5+00:00", 0.5),
        ("1970-01-01T00:00:00", None),
        ("soon", None),
        (253_402_300_799, 253_402_300_799.0),
        (253_402_300_800, None),
        (1_800_000_000_000, None),
        (10**400, None),
        (-(10**400), None),
        (math.inf, None),
        (math.nan, None),
        ("0001-01-01T00:00:00+14:00", -62135647200.0 + 0),
        (True, None),
        (None, None),
        ({}, None),
    ],
)
def test_moments(value, seconds):
    assert moment(value) == seconds


def test_a_moment_that_is_no_number_is_never():
    assert not Consents([Consent(PART, CONSUMER, math.nan)]).cover(PART, CONSUMER)


# Limits


def taken(limits, times, place=1, per_second=10, burst=5):
    done = 0
    for _ in range(times):
        try:
            limits.take(place, per_second, burst)
            done += 1
        except KravoversiktError as error:
            assert (error.kode, error.status) == ("KB-010", 429)
            assert int(error.headers["Retry-After"]) >= 1
    return done


def test_a_burst_and_then_the_rate():
    now = 1000.0
    limits = Limits(3, clock=lambda: now)
    assert taken(limits, 20) == 5
    now += 0.3
    assert taken(limits, 20) == 3
    now += 1000
    assert taken(limits, 20) == 5


def test_each_consumer_has_its_own():
    limits = Limits(3, clock=lambda: 1000.0)
    assert [taken(limits, 10, place) for place in (1, 2)] == [5, 5]


def test_how_long_to_wait():
    limits = Limits(2, clock=lambda: 1000.0)
    limits.take(1, 0.1, 1)
    with pytest.raises(KravoversiktError) as raised:
        limits.take(1, 0.1, 1)
    assert raised.value.headers == {"Retry-After": "10"}


# Agreements


def consumers(tmp_path, text):
    (tmp_path / "consumers.toml").write_text(text)
    return read_consumers(tmp_path / "consumers.toml")


BANK = '[[consumer]]\norganisasjonsnummer = "999999999"\nnavn = "bank"\nrettighetspakker = ["finans"]\n'


def test_agreements(tmp_path):
    read = consumers(tmp_path, BANK + "requests_per_second = 5\nburst = 7\n")
    assert list(read) == ["999999999"]
    bank = read["999999999"]
    assert (bank.navn, bank.rettighetspakker, bank.requests_per_second, bank.burst, bank.place) == (
        "bank",
        frozenset({"finans"}),
        5,
        7,
        1,
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BANK * 2, "stands before"),
        (BANK.replace("finans", "alt"), "rettighetspakker are"),
        (BANK.replace("999999999", "999999998"), "check digit"),
        (BANK.replace("999999999", "99999999"), "organisasjonsnummer"),
        (BANK.replace('"bank"', '"Bank AS"'), "navn"),
        (BANK + "burst = 0\n", "burst"),
        (BANK + "limit = 1\n", "limit"),
        (BANK + "place = 7\n", "place"),
        ("consumer", "consumers.toml"),
    ],
)
def test_agreements_that_are_wrong(tmp_path, text, said):
    with pytest.raises(ConsumersError, match=said) as raised:
        consumers(tmp_path, text)
    assert "99999999" not in str(raised.value)
