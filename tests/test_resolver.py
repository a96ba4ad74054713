"""Names and addresses: look-ups have a deadline, failures pass, and the verdict falls on what is connected to."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import crawler
from crawler import Report
from crawler.addresses import Guard
from crawler.resolver import REMEMBERED_FOR, RESOLVER, Resolver
from crawler.transport import FetchError
from tests.site import Site
from tests.test_fetch import fetcher, html
from tests.wire import Wire

Serve = Callable[..., Wire]
Run = Callable[..., Report]


class Names:
    """What names resolve to: each look-up takes the next of what is given for its name, the last one again and again.

    An address, a list of them, an exception, or an event that the look-up waits for and then fails.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._known: dict[str, list[Any]] = {}
        self._real = socket.getaddrinfo

    def give(self, name: str, *answers: Any) -> None:
        self._known[name] = list(answers)

    def look_up(self, name: str, port: int | None, *args: Any, **more: Any) -> list[Any]:
        if name not in self._known:
            return self._real(name, port, *args, **more)
        self.asked.append(name)
        answers = self._known[name]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, threading.Event):
            answer.wait(60)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        if isinstance(answer, Exception):
            raise answer
        addresses = [answer] if isinstance(answer, str) else answer
        return [found for one in addresses for found in self._real(one, port, *args, **more)]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    """The name server of the test; what it said is forgotten afterwards."""
    known = Names()
    monkeypatch.setattr(socket, "getaddrinfo", known.look_up)
    yield known
    for name in known.asked:
        RESOLVER.forget(name)


NOT_NOW = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
UNKNOWN = socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def test_a_look_up_that_fails_for_now_is_tried_again(serve: Serve, names: Names) -> None:
    """EAI_AGAIN may pass, and is not remembered; a name that does not exist is a failure for good."""
    wire = serve(html(b"<p>hello"))
    names.give("flaky.test", NOT_NOW, "127.0.0.1")
    names.give("missing.test", UNKNOWN)
    with fetcher() as some:
        with pytest.raises(FetchError, match="temporary failure") as raised:
            some.get(f"http://flaky.test:{wire.port}/")
        assert (raised.value.reason, raised.value.transient) == ("dns-error", True)
        assert some.get(f"http://flaky.test:{wire.port}/").body == b"<p>hello"
        with pytest.raises(FetchError, match="not known") as raised:
            some.get("http://missing.test/")
        assert (raised.value.reason, raised.value.transient) == ("dns-error", False)


def test_a_look_up_that_stalls_does_not_outlive_the_deadline(names: Names) -> None:
    """Whoever waits for a name server waits until the deadline, however often; the look-up is made once."""
    over = threading.Event()
    names.give("stalled.test", over)
    began = time.monotonic()
    with fetcher(timeout=0.3) as some:
        for _ in range(3):
            with pytest.raises(FetchError, match=r"look-up of stalled\.test") as raised:
                some.get("http://stalled.test/")
            assert (raised.value.reason, raised.value.transient) == ("timeout", True)
    over.set()
    assert time.monotonic() - began < 10  # the name server would take a minute
    assert names.asked == ["stalled.test"]


def test_waiting_for_a_look_up_can_be_aborted(names: Names) -> None:
    """abort() ends a wait for the name server that would last until the deadline."""
    over = threading.Event()
    names.give("stalled.test", over)
    some = fetcher(timeout=60.0)
    errors: list[FetchError] = []

    def get() -> None:
        with pytest.raises(FetchError) as raised:
            some.get("http://stalled.test/")
        errors.append(raised.value)

    thread = threading.Thread(target=get)
    thread.start()
    while not names.asked:
        thread.join(0.01)
    some.abort()
    thread.join(20)
    assert not thread.is_alive()
    over.set()
    some.close()
    assert errors


def test_names_that_fail_cost_their_own_pages_only(site: Site, db: Path, run: Run, names: Names) -> None:
    """A crawl goes on beside names that do not exist, that stall, and that come back; each has its reason."""
    over = threading.Event()
    names.give("stalled.test", over)
    names.give("missing.test", UNKNOWN)
    names.give("flaky.test", NOT_NOW, "127.0.0.1")
    port = site.host.partition(":")[2]
    foreign = ["http://stalled.test/", "http://missing.test/", f"http://flaky.test:{port}/b"]
    site.page("/", links=["/a", "/b", *foreign])
    site.page("/a")
    site.page("/b", "the same", links=["/c"])
    site.page("/c")
    report = run(scope="any", timeout=1.0, retries=1, delay=0.0)
    over.set()
    assert report.reasons == {"timeout": 1, "dns-error": 1}
    assert (report.pages, report.duplicates) == (4, 2)  # /b and /c are the same under both names


def test_an_address_is_pinned_and_checked_again_when_it_changes(serve: Serve, names: Names) -> None:
    """A name that changes to a private address is not followed there, now or later (DNS rebinding)."""
    wire = serve(html(b"<p>hello"))
    inside = serve(html(b"<p>secret"), address="127.0.0.2", port=wire.port)
    names.give("rebound.test", "127.0.0.1", "127.0.0.2")
    url = f"http://rebound.test:{wire.port}/"
    for _ in range(3):
        with fetcher(guard=Guard([("127.0.0.1", wire.port)])) as some:
            assert some.get(url).body == b"<p>hello"
    assert names.asked == ["rebound.test"]
    RESOLVER.forget("rebound.test")
    with (
        fetcher(guard=Guard([("127.0.0.1", wire.port)])) as some,
        pytest.raises(FetchError, match=r"127\.0\.0\.2") as raised,
    ):
        some.get(url)
    assert raised.value.reason == "private-address"
    assert (wire.connections, inside.connections) == (3, 0)


def test_of_several_addresses_only_allowed_ones_are_connected_to(serve: Serve, names: Names) -> None:
    """A private address among those of a name is passed over."""
    wire = serve(html(b"<p>hello"))
    inside = serve(html(b"<p>secret"), address="127.0.0.2", port=wire.port)
    names.give("mixed.test", ["127.0.0.2", "127.0.0.1"])
    with fetcher(guard=Guard([("127.0.0.1", wire.port)])) as some:
        assert some.get(f"http://mixed.test:{wire.port}/").body == b"<p>hello"
    assert inside.connections == 0


def test_the_next_address_is_tried_when_one_does_not_answer(serve: Serve, names: Names) -> None:
    """A host is reached at the first of its addresses that answers; if none does, it is looked up again."""
    wire = serve(html(b"<p>hello"))
    names.give("two.test", ["127.0.0.3", "127.0.0.1"])
    names.give("moved.test", "127.0.0.3", "127.0.0.1")
    with fetcher() as some:
        assert some.get(f"http://two.test:{wire.port}/").body == b"<p>hello"
        with pytest.raises(FetchError) as raised:
            some.get(f"http://moved.test:{wire.port}/")
        assert raised.value.reason == "connect-error"
        assert some.get(f"http://moved.test:{wire.port}/").body == b"<p>hello"


@pytest.mark.parametrize("name", ["127.0.0.1", "public.test"])
def test_a_seed_does_not_open_the_other_ports_of_its_address(
    site: Site, serve: Serve, run: Run, names: Names, name: str
) -> None:
    """A page at a private address leads to no other program there, neither by address nor by a name for it."""
    database = serve(html(b"<p>secret"))
    names.give("public.test", "127.0.0.1")
    site.page("/", links=[f"http://{name}:{database.port}/"])
    report = run(scope="any")
    assert report.reasons == {"private-address": 1}
    assert database.connections == 0


@pytest.mark.parametrize(
    "target",
    ["http://127.0.0.2:{port}/", "http://inside.test:{port}/", "http://2130706434:{port}/", "http://0x7f.2:{port}/",
     "http://0177.0.0.2:{port}/", "http://[::ffff:127.0.0.2]:{port}/", "//127.0.0.2:{port}/"],
)  # fmt: skip
@pytest.mark.parametrize("way", ["page", "robots.txt", "sitemap"])
def test_no_redirect_leads_to_a_private_address(
    site: Site, serve: Serve, db: Path, run: Run, names: Names, target: str, way: str
) -> None:
    """However an address is spelt, and whatever redirects there: no connection is made."""
    inside = serve(html(b"<p>secret"), address="127.0.0.2")
    names.give("inside.test", "127.0.0.2")
    to = target.format(port=inside.port)
    site.page("/", links=["/away"])
    site.redirect({"page": "/away", "robots.txt": "/robots.txt", "sitemap": "/sitemap.xml"}[way], to)
    if way == "sitemap":
        site.robots(f"Sitemap: {site.url('/sitemap.xml')}\n")
    run(scope="any", retries=0, sitemaps=way == "sitemap")
    assert {"page": "/away", "robots.txt": "/robots.txt", "sitemap": "/sitemap.xml"}[way] in site.asked
    assert inside.connections == 0


def test_answers_hold_for_a_minute_and_failures_do_not(names: Names) -> None:
    """A name is looked up once a minute; a failure each time."""
    now = [0.0]
    resolver = Resolver(clock=lambda: now[0])
    names.give("kept.test", "127.0.0.1", "127.0.0.2")
    names.give("failing.test", NOT_NOW)

    def addresses() -> list[str]:
        return [address[0] for _, address in resolver.look_up("kept.test").result(10)]

    assert addresses() == ["127.0.0.1"]
    now[0] = REMEMBERED_FOR - 1
    assert addresses() == ["127.0.0.1"]
    now[0] = REMEMBERED_FOR + 1
    assert addresses() == ["127.0.0.2"]
    for _ in range(3):
        assert resolver.look_up("failing.test").exception(10) is NOT_NOW
    assert names.asked.count("failing.test") == 3


def test_stalled_look_ups_are_bounded(names: Names) -> None:
    """A name server that never answers costs a bounded number of threads; beyond, look-ups fail for now."""
    over = threading.Event()
    resolver = Resolver()
    for number in range(256):
        names.give(f"{number}.test", over)
        assert not resolver.look_up(f"{number}.test").done()
    error = resolver.look_up("one-more.test").exception(0)
    assert isinstance(error, socket.gaierror)
    assert error.errno == socket.EAI_AGAIN
    over.set()


SITECUSTOMIZE = """
import socket, time

real = socket.getaddrinfo

def stalled(name, *args, **more):
    if name == "stalled.test":
        time.sleep(120)
    return real(name, *args, **more)

socket.getaddrinfo = stalled
"""


def test_a_stalled_look_up_holds_up_no_process(db: Path, tmp_path: Path) -> None:
    """The program ends when its crawl does, with the reason, though the name server never answers."""
    (tmp_path / "sitecustomize.py").write_text(SITECUSTOMIZE)
    paths = os.pathsep.join([str(tmp_path), str(Path(crawler.__file__).parent.parent)])
    command = [sys.executable, "-m", "crawler", "--seed", "http://stalled.test/", "--timeout", "0.5", "--db", str(db)]
    done = subprocess.run(
        command,
        env=os.environ | {"PYTHONPATH": paths, "CRAWL_RETRIES": "0"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 4
    assert "timeout: the look-up of stalled.test has no answer yet" in done.stderr
