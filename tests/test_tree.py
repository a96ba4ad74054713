"""Documents that were made to be slow to take apart, or to fill the memory."""

import json
import resource
import subprocess
import sys
import time

import pytest

from crawler.page import parse
from crawler.tree import tree_of

URL = "http://example.org/"
_PATIENCE = 6  # seconds
START = b"<!doctype html><title>Slow</title><h1>Early</h1><p>zebra</p>"


def numbered(form: bytes, count: int) -> bytes:
    return b"".join(form % number for number in range(count))


def bombs(n: int) -> dict[str, bytes]:
    """By name, what follows the beginning; each is of about n parts."""
    return {
        "blocks in blocks": b"<div>" * n,
        "items in items": b"<ul><li>" * n,
        "forms": b"<form><div>" * n,
        "hidden blocks": b"<div hidden>" * n,
        "tables in tables": b"<table><tr><td>" * n,
        "headings in headings": b"<h2><b>" * n,
        "definitions in definitions": b"<dl><dt id=a><dl>" * n,
        "headers in an article": b"<article>" + b"<header>" * n,
        "headers around a heading": b"<header>" * n + b"<h1>x",
        "end tags of nothing": b"<span>" * n + b"</x>" * n,
        "links in links": b"<a href=x><div>" * n + b"</a>" * n,
        "blocks in left open bold": b"<div><b>" * n + b"</div>x" * n,
        "attributes": b"<p " + numbered(b" a%d=1", n) + b">x",
        "attributes with signs of tags": b"<p " + numbered(b" a%d<=1", n // 3) + b">x",
        "attributes with tags in them": b"<p " + numbered(b" a%d='<b>'", n) + b">x",
        "attributes of many bodies": numbered(b"<body a%d=1>", n),
        "bold that is left open": b"<p>" + numbered(b"<b a%d>", n // 2) + b"<p>x" * (n // 2),
        "bold that looks the same": b"<p>" + numbered(b"<b a='>' b%d>", n // 2) + b"<p>x" * (n // 2),
        "bold in capitals": b"<ul><li>" + numbered(b"<STRONG\ta%d>", n // 2) + b"<li>x" * (n // 2),
        "every formatting element": b"<p>" + b"<b><i><u><s><em><tt><big><code><small>" * 3 + b"<p>x" * n,
        "comments": b"<!--" * n,
        "declarations": b"<![" * n,
        "open attributes": b'<a x="' * n,
        "unknown references": b"&notin" * n,
        "bases": b"<base href='http://['>" * n,
        "at signs": b"<a href='http://" + b"@" * (10 * n) + b"'>x</a>",
    }


# Few enough tags, or bytes, to be parsed at once if nothing were done about them.
SMALL = {
    "copies": b"<p>" + numbered(b"<b a%d>", 2_500) + b"<p>x" * 3_500,  # 9 million elements
    "copies that look the same": b"<p>" + numbered(b"<b a='>' b%d>", 2_500) + b"<p>x" * 3_500,
    "as many copies as are let through": b"<p>" + numbered(b"<i a%d>", 950) + b"<p>x" * 950,
    "few attributes": b"<p " + numbered(b" a%d", 40_000) + b">x",
    "few quoted attributes": b"<p " + numbered(b" a%d='>'", 25_000) + b">x",
    "few items in items": b"<ul><li>" * 32_000,
    "few headings in headings": b"<h2><b>" * 4_900,
    "few headers in an article": b"<article>" + b"<header>" * 9_900,
}


def test_no_document_stalls_the_parser() -> None:
    """Whatever a document is made of, it is taken apart soon and in little memory, and what it begins with is read."""
    child = subprocess.run([sys.executable, "-m", "tests.test_tree"], capture_output=True, text=True, timeout=300)
    done = [json.loads(line) for line in child.stdout.splitlines()]
    names = [*bombs(1), *SMALL]
    assert [name for name, *_ in done] == names, f"stopped at {names[len(done) : len(done) + 1]}: {child.stderr[-500:]}"
    assert [name for name, title, found, _ in done if (title, found) != ("Slow", True)] == []


def take_apart_all() -> None:
    """In a process of its own, every bomb, one after another: in a gigabyte, and in seconds of CPU for each.

    They take a second at most, and minutes if nothing were done about them.
    """
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
    for name, bomb in {**bombs(60_000), **SMALL}.items():
        spent = time.process_time()
        resource.setrlimit(resource.RLIMIT_CPU, (int(spent) + _PATIENCE, resource.RLIM_INFINITY))
        page = parse(START + bomb, URL)
        print(json.dumps([name, page.title, "zebra" in page.text, time.process_time() - spent]), flush=True)


def test_the_beginning_of_a_slow_document_is_told_from_a_whole_one() -> None:
    """Who reads a page knows whether it is all there."""
    assert parse(START + b"<ul><li>" * 50_000 + b"late", URL).cut
    assert not parse(START + b"<ul><li>" * 50 + b"late", URL).cut
    assert parse(START + b"<p" + numbered(b" a%d", 20_000) + b">late", URL).cut
    assert not parse(START + b"<p" + numbered(b" a%d", 1_000) + b">late", URL).cut


@pytest.mark.parametrize(
    "part",
    [
        pytest.param(b"<p>word <code class=x>one</code> <a href=y>two</a>", id="paragraphs left open"),
        pytest.param(b"<tr><td>word<td><b class='a > b'>one</b> two", id="cells"),
        pytest.param(b"<script>" + b"x = {};" * 5_000 + b"</script><p>word", id="scripts"),
        pytest.param(b"<img src='data:image/png;base64," + b"A" * 40_000 + b"'>word<br>", id="images in the page"),
    ],
)
def test_a_long_document_is_read_to_its_end(part: bytes) -> None:
    """A page of a megabyte that only is long is not cut."""
    count = 1 + 1_000_000 // len(part)
    page = parse(START + b"<table>" * part.startswith(b"<tr>") + part * count + b"<p>the last", URL)
    assert not page.cut
    assert page.text.count("word") == count
    assert page.text.endswith("the last")


def test_formatting_of_ordinary_pages_is_left_alone() -> None:
    """Bold words and code of a few kinds stay what they are, however many; bold of a thousand kinds does not."""
    ordinary = START + b"<p><b class=x>a</b> <code class='y z'>b</code>" * 2_000
    assert len(tree_of(ordinary)[0].css("b, code")) == 4_000
    strange = START + numbered(b"<p><b class=x%d>a</b> <code class='y z'>b</code>", 2_000)
    assert len(tree_of(strange)[0].css("b, code")) == 0


if __name__ == "__main__":
    take_apart_all()
