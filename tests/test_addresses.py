"""Where the crawler may connect to."""

import pytest

from crawler.addresses import Guard, is_loopback, is_public


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "172.32.0.1", "100.128.0.1"])
def test_public_addresses(address: str) -> None:
    """What is globally reachable is public."""
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("::ffff:8.8.8.8", id="IPv4-mapped"),
        pytest.param("64:ff9b::808:808", id="NAT64"),
        pytest.param("2002:808:808::1", id="6to4"),
    ],
)
def test_wrapped_public_addresses(address: str) -> None:
    """A public IPv4 address stays public inside IPv6."""
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("10.0.0.1", id="private 10/8"),
        pytest.param("172.16.0.1", id="private 172.16/12"),
        pytest.param("192.168.1.1", id="private 192.168/16"),
        pytest.param("127.0.0.1", id="loopback"),
        pytest.param("127.255.255.254", id="end of loopback"),
        pytest.param("169.254.169.254", id="cloud metadata"),
        pytest.param("100.64.0.1", id="carrier-grade NAT"),
        pytest.param("0.0.0.0", id="this host"),
        pytest.param("255.255.255.255", id="broadcast"),
        pytest.param("224.0.0.1", id="multicast"),
        pytest.param("233.252.1.1", id="multicast beyond the local network"),
        pytest.param("240.0.0.1", id="reserved"),
        pytest.param("192.0.0.8", id="protocol assignments"),
        pytest.param("192.0.2.1", id="documentation"),
        pytest.param("198.18.0.1", id="benchmarking"),
        pytest.param("::1", id="IPv6 loopback"),
        pytest.param("::", id="IPv6 unspecified"),
        pytest.param("fe80::1", id="IPv6 link-local"),
        pytest.param("fe80::1%eth0", id="IPv6 link-local with a zone"),
        pytest.param("fc00::1", id="IPv6 unique local"),
        pytest.param("fd12:3456::1", id="IPv6 unique local, common"),
        pytest.param("fec0::1", id="IPv6 site-local"),
        pytest.param("ff02::1", id="IPv6 multicast"),
        pytest.param("ff0e::1", id="IPv6 global multicast"),
        pytest.param("2001:db8::1", id="IPv6 documentation"),
        pytest.param("64:ff9b:1::1", id="local NAT64"),
        pytest.param("64:ff9b:1::808:808", id="local NAT64 of a public address"),
        pytest.param("fe80::1%25", id="IPv6 link-local with a zone in a URL's spelling"),
        pytest.param("100::1", id="IPv6 discard"),
        pytest.param("5f00::1", id="IPv6 segment routing"),
    ],
)
def test_addresses_that_are_not_public(address: str) -> None:
    """Addresses of private, local and special networks are not public."""
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("::ffff:127.0.0.1", id="IPv4-mapped"),
        pytest.param("::ffff:a9fe:a9fe", id="IPv4-mapped metadata"),
        pytest.param("64:ff9b::7f00:1", id="NAT64"),
        pytest.param("2002:7f00:1::", id="6to4"),
        pytest.param("2002:a9fe:a9fe::1", id="6to4 metadata"),
        pytest.param("2001:0:4136:e378:8000:63bf:80ff:fffe", id="Teredo"),
        pytest.param("::127.0.0.1", id="IPv4-compatible"),
        pytest.param("::ffff:0:127.0.0.1", id="IPv4-translated"),
    ],
)
def test_wrapped_private_addresses(address: str) -> None:
    """No IPv6 form makes a private IPv4 address public."""
    assert not is_public(address)


@pytest.mark.parametrize(
    "text",
    ["", "junk", "example.org", "127.1", "0177.0.0.1", " 8.8.8.8", "8.8.8.8:80", "[::1]", "\ud800", "\0"],
)
def test_what_is_no_address_is_not_public(text: str) -> None:
    """Only an address can be public, and nothing raises."""
    assert not is_public(text)


@pytest.mark.parametrize(
    "name",
    ["localhost", "app.localhost", "127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"],
)
def test_names_of_this_machine(name: str) -> None:
    """localhost, what lies under it, and loopback addresses are this machine."""
    assert is_loopback(name)


@pytest.mark.parametrize(
    "name", ["example.org", "notlocalhost", "localhost.example.org", "10.0.0.1", "8.8.8.8", "", "127.1"]
)
def test_names_of_other_machines(name: str) -> None:
    """A name that only looks like localhost is another machine's."""
    assert not is_loopback(name)


def test_a_guard_allows_public_addresses_only() -> None:
    """Without exemptions, private addresses are refused."""
    guard = Guard()
    assert guard.allows("8.8.8.8", 80)
    assert not guard.allows("10.0.0.1", 80)
    assert not guard.allows("not an address", 80)


def test_a_guard_allows_the_seeds_own_addresses_at_their_ports() -> None:
    """An exempt address is allowed at its port; its other ports and its neighbours are not."""
    guard = Guard([("127.0.0.1", 8000), ("fd00::1", 443)])
    assert guard.allows("127.0.0.1", 8000)
    assert guard.allows("fd00::1", 443)
    assert guard.allows("8.8.8.8", 5984)
    assert not guard.allows("127.0.0.1", 5984)
    assert not guard.allows("127.0.0.2", 8000)
    assert not guard.allows("10.0.0.1", 8000)


def test_a_guard_allows_all_when_asked_to() -> None:
    """With allow_private every address may be connected to."""
    assert Guard(allow_private=True).allows("169.254.169.254", 80)


def test_a_guard_keeps_its_exemptions() -> None:
    """What happens to the list it was made from afterwards does not open it."""
    exempt = [("10.0.0.1", 80)]
    guard = Guard(exempt)
    exempt.append(("10.0.0.2", 80))
    assert guard.allows("10.0.0.1", 80)
    assert not guard.allows("10.0.0.2", 80)


def test_an_address_is_the_same_however_it_is_written() -> None:
    """A seed's address comes as the standard of URLs writes it, and the resolver writes it otherwise."""
    assert Guard({("::ffff:7f00:1", 8000)}).allows("::ffff:127.0.0.1", 8000)
