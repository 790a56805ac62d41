"""Whose address a request came from: the connection's, or what a proxy that is known says of the one before it."""

import ipaddress
from collections.abc import Iterable

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Proxies:
    """The proxies whose ``X-Forwarded-For`` is believed."""

    def __init__(self, addresses: Iterable[str] = ()) -> None:
        """Addresses or networks, and ``unix`` for whoever connects by a Unix socket. Raises ``ValueError``."""
        given = list(addresses)
        self._unix = "unix" in given
        self._networks: list[_Network] = [ipaddress.ip_network(one) for one in given if one != "unix"]

    def address(self, peer: str, forwarded: str | None) -> str | None:
        """The caller's, by the connection's and the header: the last that a known proxy names and that is none itself.

        What stands before it anyone can say. After a name that is no address the caller's is unknown.
        """
        address = _parsed(peer)
        believed = self._known(address) if peer else self._unix
        for name in reversed(forwarded.split(",") if forwarded else []):
            if not believed:
                break
            address = _parsed(name.strip())
            believed = self._known(address)
        return str(address) if address else None

    def _known(self, address: _Address | None) -> bool:
        return address is not None and any(address in network for network in self._networks)


def _parsed(text: str) -> _Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, ipaddress.IPv6Address) else address
