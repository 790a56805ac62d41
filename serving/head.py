"""What is wrong with a request's head as HTTP, whoever has read it: our own ``http`` or another server (``asgi``)."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from serving.errors import (
    HEADERS_TOO_LARGE,
    URL_TOO_LONG,
    VERSION_NOT_SUPPORTED,
    KravoversiktError,
    beyond_the_codes,
)
from serving.routes import MAX_HEADERS, MAX_HOST, MAX_LIST, MAX_TAGS, MAX_URL

_LONGEST = {
    **dict.fromkeys(("accept", "accept-encoding", "x-forwarded-for"), MAX_LIST),
    **dict.fromkeys(("if-none-match", "if-match"), MAX_TAGS),
    "host": MAX_HOST,
}
"""Headers that are taken apart, or remembered, before it is known who asks. None of these limits is under MAX_HOST."""
_HOST = re.compile(r"(?:\[[0-9A-Fa-fv:.%]+\]|(?:[A-Za-z0-9._~!$&'()*+;=-]|%[0-9A-Fa-f]{2})+)(?::[0-9]{0,5})?")
"""RFC 9110, 7.2: a host, and maybe a port. A comma, which a name may hold, is what joins two of them here."""


@lru_cache(maxsize=256)
def _is_host(text: str) -> bool:
    return _HOST.fullmatch(text) is not None


def joined(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers by their names in lower case; one given twice is joined with a comma (RFC 9110, 5.3)."""
    by_name: dict[str, str] = {}
    for name, value in headers:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        by_name[key] = f"{by_name[key]}, {text}" if key in by_name else text
    return by_name


def fault_of(http: str, url_length: int, headers_length: int, headers: Mapping[str, str]) -> KravoversiktError | None:
    """The first thing that is wrong. ``http``: the version, as ``1.1``. Lengths are in characters, the headers' with
    ``HEADER_WEIGHT`` for each.
    """
    if http not in ("1.0", "1.1"):
        return broken() if http == "0.9" else version_not_supported()
    if url_length > MAX_URL:
        return url_too_long()
    if headers_length > MAX_HEADERS:
        return headers_too_large()
    for name, value in headers.items():
        if len(value) > MAX_HOST and len(value) > (most := _LONGEST.get(name, MAX_HEADERS)):
            return beyond_the_codes(HEADERS_TOO_LARGE, f"the header {name} is longer than {most} characters")
    host = headers.get("host")
    if http == "1.1" if host is None else not _is_host(host):
        return KravoversiktError("KB-006", "the header Host must be there, once, and name a host")
    if "transfer-encoding" in headers:
        return KravoversiktError("KB-006", "a request has no body here, and so no Transfer-Encoding")
    return None


def has_body(headers: Mapping[str, str]) -> bool:
    """Whether something follows that is not the next request."""
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def broken() -> KravoversiktError:
    """400 for what is no request at all, a bare line of HTTP/0.9 too."""
    return KravoversiktError("KB-006", "this is no request that HTTP/1.1 knows")


def version_not_supported() -> KravoversiktError:
    """505 for what is well-formed, and of another version of HTTP."""
    return beyond_the_codes(VERSION_NOT_SUPPORTED, "the versions of HTTP are 1.0 and 1.1")


def url_too_long() -> KravoversiktError:
    """414."""
    return beyond_the_codes(URL_TOO_LONG, f"the URL is longer than {MAX_URL} characters")


def headers_too_large() -> KravoversiktError:
    """431."""
    return beyond_the_codes(HEADERS_TOO_LARGE, f"the headers are longer than {MAX_HEADERS} characters")
