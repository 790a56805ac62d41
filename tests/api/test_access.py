"""Who may see what: consents, limits and agreements, each by itself."""

import math
import time

import pytest

from serving.consent import (
    AUTHORITY,
    Consent,
    Consents,
    SystemUser,
    consent_of_altinn,
    consents_in_details,
    moment,
    number_of,
    system_users_in_details,
)
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
    assert consents.of(PART, CONSUMER)
    now = 100.0
    assert not consents.of(PART, CONSUMER)


def test_a_consent_is_one_parts_to_one_consumer():
    consents = Consents([Consent(PART, CONSUMER, 2.0), Consent(PERSON, "111111111", 2.0)], clock=lambda: 1.0)
    assert consents.of(PART, CONSUMER)
    assert not consents.of(PERSON, CONSUMER)
    assert not consents.of(PART, "111111111")


def test_a_consent_that_never_seems_to_end_is_none():
    """It ends three years from now at most, or when the operator says."""
    consents = Consents([Consent(PART, CONSUMER, 1000.0)], longest=100.0, clock=lambda: now)
    now = 899.9
    assert not consents.of(PART, CONSUMER)
    now = 900.0
    assert consents.of(PART, CONSUMER)


RIGHT = {"action": ["consent"], "resource": [{"type": "urn:altinn:resource", "value": OURS}]}
SOON = int(time.time()) + 100_000


def detail(**changed):
    said = {"type": "urn:altinn:consent", "from": urn(PART), "to": actor(CONSUMER), "validTo": SOON}
    return said | {"id": "the-consent", "consentRights": [RIGHT]} | changed


def consent_in(details):
    return consents_in_details(details, OURS).of(PART, CONSUMER)


@pytest.mark.parametrize(
    "details",
    [
        [detail()],
        detail(),
        [detail(to=urn(CONSUMER))],
        [{"type": "something else"}, {"type": []}, "rubbish", None, detail()],
        [detail(consentRights=[{"action": ["consent"], "resource": []}, RIGHT])],
        [detail(consentRights=[RIGHT | {"action": ["read", "consent"]}])],
        [detail(consentRights=[RIGHT | {"metadata": {}, "metaData": None}])],
    ],
    ids=lambda value: str(value)[:40],
)
def test_details_that_hold_a_consent(details):
    assert consent_in(details).id == "the-consent"


RIGHTS_TO_SOMETHING_ELSE = {
    "none": [],
    "an object": RIGHT,
    "text": OURS,
    "null": None,
    "null in it": [None],
    "no action": [{"resource": RIGHT["resource"]}],
    "another action": [RIGHT | {"action": ["read"]}],
    "an action that is text": [RIGHT | {"action": "consent"}],
    "no resource": [{"action": ["consent"]}],
    "a resource that is text": [RIGHT | {"resource": OURS}],
    "a resource without its type": [RIGHT | {"resource": [{"value": OURS}]}],
    "a resource of another type": [RIGHT | {"resource": [{"type": "urn:altinn:app", "value": OURS}]}],
    "another resource": [RIGHT | {"resource": [{"type": "urn:altinn:resource", "value": "income"}]}],
    "a task of it": [RIGHT | {"resource": [*RIGHT["resource"], {"type": "urn:altinn:task", "value": "sign"}]}],
    "a year of it": [RIGHT | {"metadata": {"inntektsaar": "2022"}}],
    "a year of it, as Altinn spells it too": [RIGHT | {"metaData": {"inntektsaar": "2022"}}],
    "a number too long to be written": [RIGHT | {"resource": [{"type": "urn:altinn:resource", "value": 10**5000}]}],
}


@pytest.mark.parametrize("rights", RIGHTS_TO_SOMETHING_ELSE)
def test_a_consent_to_something_else(rights):
    assert not consent_in([detail(consentRights=RIGHTS_TO_SOMETHING_ELSE[rights])])


def test_a_consent_that_says_nothing_of_what_it_is_to():
    bare = detail()
    del bare["consentRights"]
    assert not consent_in([bare])


def test_a_type_too_long_to_be_written():
    """It may stand where a word is looked for: ``str`` would raise."""
    assert consent_in([{"type": 10**5000}, detail()])


USER = "ebe4a681-0a8c-429e-a36f-8f9ca942b59f"


def system_user(**changed):
    said = {"type": "urn:altinn:systemuser", "systemuser_org": {"authority": AUTHORITY, "id": f"0192:{PART}"}}
    return said | {"systemuser_id": [USER], "system_id": "a_system"} | changed


@pytest.mark.parametrize(
    "details",
    [[system_user()], system_user(), [system_user(systemuser_id=USER.upper())], [None, system_user()]],
    ids=str,
)
def test_details_that_hold_a_system_user(details):
    assert system_users_in_details(details) == (SystemUser(USER, PART),)
    assert not consent_in(details)  # it is none


@pytest.mark.parametrize(
    "changed",
    [
        *({"systemuser_id": value} for value in (None, [], [[USER]], {}, "x", [USER + "0"], [1], [f"{USER}\n"])),
        *({"systemuser_org": value} for value in (None, PART, urn(PART), {}, [actor(PART)])),
        {"systemuser_id": [f"{USER[:-1]}{number}" for number in range(9)]},  # too many to ask about
    ],
    ids=lambda value: str(value)[:60],
)
def test_details_that_hold_no_system_user(changed):
    assert system_users_in_details([system_user(**changed)]) == ()


@pytest.mark.parametrize("services", [["5928_202301"], "5928_202301", ["x", "5928_202301,a=b"]], ids=str)
def test_altinns_services(services):
    claims = {"OfferedBy": PERSON, "CoveredBy": CONSUMER, "Services": services, "ValidToDate": SOON}
    assert consent_of_altinn(claims, "5928_202301").of(PERSON, CONSUMER)


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
    assert not Consents([Consent(PART, CONSUMER, math.nan)]).of(PART, CONSUMER)


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
    assert raised.value.headers["Retry-After"] == "10"


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
