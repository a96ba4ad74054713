"""Which network addresses may be connected to. Pure: text in, verdict out.

A page can name any host, and any host name can point at the machines behind the user's own firewall. So the verdict
falls on the address actually connected to, at every connection: pages, redirects and robots.txt alike.
"""

import ipaddress
from collections.abc import Iterable

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")  # all that IANA has given out for use (RFC 4291 §2.4)
# Shared, benchmarking and reserved ranges that older Python releases call global.
_NOT_GLOBAL = tuple(map(ipaddress.ip_network, ("100.64.0.0/10", "192.0.0.0/24", "198.18.0.0/15", "3fff::/20")))


def is_loopback(hostname: str) -> bool:
    """Whether a host name or address means this very machine (RFC 6761 §6.3 for `localhost`)."""
    if hostname == "localhost" or hostname.endswith(".localhost"):
        return True
    address = _parse(hostname)
    return address is not None and address.is_loopback


def is_address(hostname: str) -> bool:
    """Whether a host is written as an address, which nobody needs to look up."""
    return _parse(hostname) is not None


def is_public(address: str) -> bool:
    """Whether an address is globally reachable, also after taking it out of the IPv6 forms that can wrap an IPv4."""
    parsed = _parse(address)
    if parsed is None or (parsed.version == 6 and parsed not in _GLOBAL_UNICAST):
        return False
    taken = any(parsed in network for network in _NOT_GLOBAL if network.version == parsed.version)
    return parsed.is_global and not parsed.is_multicast and not taken


class Guard:
    """Decides whether an address may be connected to: public ones, and those that the seeds' own hosts have.

    An exemption holds for a port, too: a page of the server that someone runs at 127.0.0.1:8000 is no reason to talk to
    the database at 127.0.0.1:5984. Immutable after construction, so that all threads share one.
    """

    def __init__(self, exempt: Iterable[tuple[str, int]] = (), *, allow_private: bool = False) -> None:
        self._exempt = frozenset((_canonical(address), port) for address, port in exempt)
        self._allow_private = allow_private

    def allows(self, address: str, port: int) -> bool:
        return self._allow_private or (_canonical(address), port) in self._exempt or is_public(address)

    def __repr__(self) -> str:
        return f"<Guard allows {'all' if self._allow_private else f'public and {sorted(self._exempt)}'}>"


def _canonical(address: str) -> str:
    """An address in one way of writing it: `::ffff:7f00:1` is `::ffff:127.0.0.1`."""
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return address


def _parse(address: str) -> _Address | None:
    try:
        parsed: _Address = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed in _NAT64:
            return ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)
        wrapped = parsed.ipv4_mapped or parsed.sixtofour or (parsed.teredo[1] if parsed.teredo else None)
        return wrapped or parsed
    return parsed
