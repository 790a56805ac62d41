"""What a request asks for: correlation id, forms that the caller takes, tags that it has."""

import re

import pytest

from serving.errors import KravoversiktError
from serving.etag import digest, etag, matches
from serving.request import Request, check_accept, content_coding, given_id, new_id


def having(**headers):
    return Request("GET", "/", "", {name.replace("_", "-"): value for name, value in headers.items()})


NEW = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@pytest.mark.parametrize("given", ["a", "0f8fad5b-d9cb-469f-a165-70867728950e", "A.b_c:1-2", "x" * 64])
def test_the_callers_id_is_kept(given):
    assert given_id(having(korrelasjonsid=given)) == given


@pytest.mark.parametrize("given", [None, "", "x" * 65, "a b", 'a"b', "a\r\nb", "a\n", "æ", "one, two", "a\\b", "<b>"])
def test_an_id_that_cannot_be_repeated_is_replaced(given):
    assert given_id(having(korrelasjonsid=given) if given is not None else having()) is None


def test_an_id_of_our_own_is_a_uuid_in_which_no_number_can_be_read():
    for _ in range(2000):
        new = new_id()
        assert NEW.fullmatch(new)
        assert not re.search("[0-9]{9}", new.replace("-", ""))


@pytest.mark.parametrize(
    "accept",
    [
        None,
        "",
        "*/*",
        "application/json",
        "APPLICATION/JSON",
        "application/*",
        "text/html, application/json;q=0.1",
        "text/html, */*; q=0.01",
        "application/json; charset=utf-8",
        "text/*;q=1,application/json ; q=0.001",
        "application/*;q=0, application/json",
    ],
)
def test_json_is_taken(accept):
    check_accept(having(accept=accept) if accept is not None else having())


@pytest.mark.parametrize(
    "accept",
    [
        "application/xml",
        "text/html",
        "application/json;q=0",
        "application/json;q=0.000, */*",
        "*/*;q=0",
        "application/*;q=0, */*",
        "application/json;q=2",
        "application/json;q=x",
        "json",
        ";q=1",
    ],
)
def test_json_is_not_taken(accept):
    with pytest.raises(KravoversiktError, match="KB-008"):
        check_accept(having(accept=accept))


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        (None, "identity"),
        ("", "identity"),
        ("identity", "identity"),
        ("br", "identity"),
        ("gzip", "gzip"),
        ("x-gzip", "gzip"),
        ("gzip, deflate", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("GZIP", "gzip"),
        ("*", "zstd"),
        ("zstd;q=0.5, gzip", "gzip"),
        ("zstd;q=0.5, gzip;q=0.5", "zstd"),
        ("zstd;q=0, *", "gzip"),
        ("gzip;q=0", "identity"),
        ("gzip;q=0.1, identity", "identity"),
        ("*;q=0", None),
        ("identity;q=0", None),
        ("identity;q=0, gzip", "gzip"),
        ("gzip;q=0, zstd;q=0, identity;q=0", None),
        ("gzip;q=0.5;q=0.6", "gzip"),
        (",,gzip,", "gzip"),
    ],
)
def test_content_coding(accepted, coding):
    request = having() if accepted is None else having(accept_encoding=accepted)
    if coding:
        assert content_coding(request) == coding
    else:
        with pytest.raises(KravoversiktError, match="KB-008"):
            content_coding(request)


def test_a_tag_is_of_content_and_coding():
    one, other = digest(b"a"), digest(b"b")
    assert digest(b"a") == one
    assert len({etag(one, "zstd"), etag(one, "gzip"), etag(one, "identity"), etag(other, "identity")}) == 4
    assert re.fullmatch('"[0-9a-f]{24}-zstd"', etag(one, "zstd"))


@pytest.mark.parametrize("had", ['"a"', 'W/"a"', '"x", "a"', ' "a" ', '"x",W/"a","y"', "*", " * ", ', ,"a",'])
def test_a_tag_that_the_caller_has(had):
    assert matches(had, '"a"')


@pytest.mark.parametrize(
    "had", ['"b"', "a", '"A"', '"a', 'a"', '"a-gzip"', "", '"*"', "**", 'foo"a"bar', '"a" "b"', '"b", x, "a"', '*, "a"']
)
def test_a_tag_that_the_caller_does_not_have(had):
    assert not matches(had, '"a"')
