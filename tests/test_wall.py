"""Cookie walls are passed, and cost no more than they must: cookies live for one chain, at one origin."""

import re
import socket
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from crawler import Config, Report, crawl
from tests.test_fetch import fetcher
from tests.wire import Script, Wire, read_request

Serve = Callable[..., Wire]
Answer = Callable[[str, str], bytes]
"""From a path and the Cookie header of a request to a reply."""
Seen = list[tuple[str, str]]


def page(*links: str) -> bytes:
    body = ("<p>a page with words" + "".join(f'<a href="{link}">x</a>' for link in links)).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def redirect(to: str, *cookies: str, status: int = 302) -> bytes:
    lines = [f"HTTP/1.1 {status} Found", f"Location: {to}", *(f"Set-Cookie: {cookie}" for cookie in cookies)]
    return "\r\n".join([*lines, "Content-Length: 0", "", ""]).encode()


NO_ROBOTS = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


def talking(answer: Answer, seen: Seen) -> Script:
    def talk(connection: socket.socket) -> None:
        while request := read_request(connection).decode("latin-1"):
            path = request.split(" ", 2)[1]
            cookie = re.search(r"^Cookie: (.*)\r$", request, re.M)
            seen.append((path, cookie[1] if cookie else ""))
            connection.sendall(answer(*seen[-1]))

    return talk


@pytest.fixture
def crawled(serve: Serve, db: Path) -> Callable[[Answer], tuple[Report, dict[str, str], Seen]]:
    """Crawls a server that answers so: the report, states and reasons by path, what was asked with which cookies."""

    def run(answer: Answer) -> tuple[Report, dict[str, str], Seen]:
        seen: Seen = []
        wire = serve(talking(answer, seen), deaf=True)
        only = {"depth": 5, "threads": 1, "retries": 0, "sitemaps": False, "traps": False}
        report = crawl(Config(seeds=(wire.url,), db=str(db), **only))
        with closing(sqlite3.connect(db)) as connection:
            rows = connection.execute("SELECT url, state, reason FROM urls").fetchall()
        states = {"/" + url.removeprefix(wire.url): f"{state} {reason}".strip() for url, state, reason in rows}
        return report, states, [one for one in seen if one[0] != "/robots.txt"]

    return run


Crawled = Callable[[Answer], tuple[Report, dict[str, str], Seen]]


def test_a_wall_at_the_very_url_is_passed(crawled: Crawled) -> None:
    """A server that redirects to the same URL until its cookie comes is crawled, robots.txt too; no cookie is kept."""

    def answer(path: str, cookie: str) -> bytes:
        if "seen=1" not in cookie:
            return redirect(path, "seen=1; Path=/; HttpOnly")
        if path == "/robots.txt":
            body = b"User-agent: *\nDisallow: /private\n"
            return b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        return page("/a", "/private")

    _, states, seen = crawled(answer)
    assert states == {"/": "done", "/a": "done duplicate", "/private": "skipped robots"}
    assert seen == [("/", ""), ("/", "seen=1"), ("/a", ""), ("/a", "seen=1")]


@pytest.mark.parametrize("first", [(), ("begun=1",)])
def test_a_wall_with_a_page_that_sets_the_cookie_is_passed(crawled: Crawled, first: tuple[str, ...]) -> None:
    """A detour that sets the cookie and leads back is followed, and what is behind it is indexed where it is."""

    def answer(path: str, cookie: str) -> bytes:
        if path.startswith("/robots"):
            return NO_ROBOTS
        if path.startswith("/check?back="):
            return redirect(path.partition("=")[2], "passed=yes")
        if "passed=yes" in cookie:
            return page("/a")
        return redirect(f"/check?back={path}", *first)

    _, states, seen = crawled(answer)
    assert states == {"/": "done", "/a": "done duplicate"}
    assert len(seen) == 6


def test_a_wall_that_never_opens_is_left_alone(crawled: Crawled) -> None:
    """A server that sets another cookie each time is asked a bounded number of times, and the URL has its reason."""

    def answer(path: str, cookie: str) -> bytes:
        return NO_ROBOTS if path == "/robots.txt" else redirect(path, f"c{len(cookie)}=x")

    _, states, seen = crawled(answer)
    assert states == {"/": "failed bad-redirect"}
    assert len(seen) == 11


def test_the_cookies_of_a_chain_are_bounded(crawled: Crawled) -> None:
    """Of many cookies fifty are kept, of long ones and unprintable ones none."""

    def answer(path: str, cookie: str) -> bytes:
        if path == "/robots.txt":
            return NO_ROBOTS
        many = [f"c{n}=x" for n in range(90)]
        return page() if cookie else redirect(path, "long=" + "x" * 5000, "bad=\x1b[31m", *many)

    _, states, seen = crawled(answer)
    assert states == {"/": "done"}
    assert seen[1][1] == "; ".join(f"c{n}=x" for n in range(50))


def test_redirects_that_are_no_wall_go_round_the_ring(crawled: Crawled) -> None:
    """Where every redirect sets a session cookie, few are followed in vain; targets are pages of their own."""
    numbers = range(30)

    def answer(path: str, cookie: str) -> bytes:
        if path == "/robots.txt":
            return NO_ROBOTS
        if path == "/":
            return page(*(f"/old/{n}" for n in numbers))
        return redirect(path.replace("old", "new"), "session=1") if "old" in path else page(path + "/more")

    _, states, seen = crawled(answer)
    assert all(states[f"/old/{n}"] == "done redirect" for n in numbers)
    assert all(states[f"/new/{n}"].startswith("done") for n in numbers)
    assert sum(bool(cookie) for _, cookie in seen) == 3


@pytest.mark.parametrize("to", ["/private/check?back=/", "http://other.invalid/check?back=/"])
def test_the_way_through_a_wall_keeps_to_the_rules(crawled: Crawled, to: str) -> None:
    """No step is asked for that robots.txt refuses, or at another host, and no cookie goes there."""

    def answer(path: str, cookie: str) -> bytes:
        if path == "/robots.txt":
            return b"HTTP/1.1 200 OK\r\nContent-Length: 32\r\n\r\nUser-agent: *\nDisallow: /private"
        return redirect(to, "a=b")

    _, states, seen = crawled(answer)
    assert states["/"] == "done redirect"
    assert seen == [("/", "")]


def test_no_cookie_of_a_chain_goes_to_another_origin(serve: Serve) -> None:
    """A redirect to another port ends the chain, whatever may be asked for there."""
    other = serve(page())
    wire = serve(redirect(other.url + "check?back=/", "a=b"))
    with fetcher() as some:
        assert some.get(wire.url, through=lambda _: True).location == other.url + "check?back=/"
    assert other.connections == 0


def test_the_way_through_a_wall_keeps_the_pace(crawled: Crawled) -> None:
    """A host that wants a pause between two requests gets it within a chain, too."""
    times = []

    def answer(path: str, cookie: str) -> bytes:
        if path == "/robots.txt":
            body = b"User-agent: *\nCrawl-delay: 0.4"
            return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        times.append(time.monotonic())
        return page() if cookie else redirect("/", "a=b")

    assert crawled(answer)[1] == {"/": "done"}
    assert len(times) == 2
    assert times[1] - times[0] > 0.35


def test_a_wall_that_says_not_now_is_heard(crawled: Crawled) -> None:
    """A 429 on the way through a wall is the answer for the URL: the host rests, and it is no redirect."""

    def answer(path: str, cookie: str) -> bytes:
        if path == "/robots.txt":
            return NO_ROBOTS
        return redirect("/check?back=/", "a=b") if path == "/" else b"HTTP/1.1 429 No\r\nContent-Length: 0\r\n\r\n"

    assert crawled(answer)[1] == {"/": "failed http-429"}
