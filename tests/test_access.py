"""How a run reaches servers: which addresses its seeds open."""

import socket
import threading
import time

import pytest

from crawler.access import Access
from crawler.config import Config
from tests.test_resolver import Names, names  # noqa: F401 - a fixture


@pytest.mark.parametrize(
    ("seed", "exempt"),
    [
        ("http://127.0.0.1:8000/", [("127.0.0.1", 8000)]),
        ("http://10.0.0.1/", [("10.0.0.1", 80), ("10.0.0.1", 443)]),
        ("https://10.0.0.1/", [("10.0.0.1", 80), ("10.0.0.1", 443)]),
        ("https://10.0.0.1:8443/", [("10.0.0.1", 8443)]),
        ("http://[fd00::1]:81/", [("fd00::1", 81)]),
        ("http://intranet.test:81/", [("10.0.0.1", 81), ("10.0.0.2", 81)]),
        ("http://missing.test/", []),
    ],
)
def test_a_seed_opens_its_own_addresses_at_its_ports(names: Names, seed: str, exempt: list[object]) -> None:  # noqa: F811
    """A seed is allowed where its host is: at its port, or, for sites that lead to https, at the two standard ports."""
    names.give("intranet.test", ["10.0.0.1", "10.0.0.2"])
    names.give("missing.test", socket.gaierror(socket.EAI_NONAME, "Name or service not known"))
    assert repr(Access(Config(seeds=(seed,))).guard) == f"<Guard allows public and {exempt}>"


def test_behind_a_proxy_that_looks_names_up_none_is_looked_up_here(names: Names) -> None:  # noqa: F811
    """socks5h:// is for names that nobody here must see."""
    names.give("hidden.test", "10.0.0.1")
    seeds = ("http://hidden.test/", "http://localhost:81/", "http://10.0.0.9:82/")
    guard = Access(Config(seeds=seeds, proxy="socks5h://127.0.0.1")).guard
    assert repr(guard) == "<Guard allows public and [('10.0.0.9', 82), ('127.0.0.1', 81)]>"
    assert names.asked == []


def test_a_stalled_name_of_a_seed_holds_nobody_up(names: Names) -> None:  # noqa: F811
    """A run begins, without an exemption for that seed, when its name has no answer in time."""
    over = threading.Event()
    names.give("stalled.test", over)
    began = time.monotonic()
    guard = Access(Config(seeds=("http://stalled.test/", "http://10.0.0.9:82/"), timeout=0.3)).guard
    assert repr(guard) == "<Guard allows public and [('10.0.0.9', 82)]>"
    assert time.monotonic() - began < 10  # the name server would take a minute
    over.set()
