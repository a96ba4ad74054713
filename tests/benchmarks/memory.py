"""Does memory stay flat, and the pace, as a crawl grows? By hand.

Serves a site that is made up as it is asked for: page n links to the ten pages 10n+1 … 10n+10 and, as a navigation
would, to its parents, and shows 300 words, drawn with the frequencies of a natural language (Zipf) by a generator that
is seeded with n: the same at every run. Crawls it with `crawl --max-pages`, so that ten times as many URLs are known as
are fetched. Prints, for each tenth of the crawl, the pace, the CPU time a page, and the resident memory of the crawling
process. What comes once at the end, such as link texts, belongs to no tenth.

    python tests/benchmarks/memory.py --pages 100000

Exit code 1: the peak was above 200 MB, or the last tenth went at less than 80 % of the pace of the first.
"""

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import accumulate, pairwise
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

LINKS = 10
WORDS = 300
VOCABULARY = 20_000
MOST_MB = 200
LEAST_PACE = 0.8  # of the last tenth, as part of that of the first


def vocabulary() -> tuple[list[str], list[float]]:
    """Made-up words of two to five syllables, and how often each comes, summed up."""
    chance = random.Random(1)
    syllables = [consonant + vowel for consonant in "bcdfghklmnprstvz" for vowel in "aeiou"]
    words = sorted({"".join(chance.choices(syllables, k=chance.randint(2, 5))) for _ in range(2 * VOCABULARY)})
    chance.shuffle(words)
    return words[:VOCABULARY], list(accumulate(1 / rank for rank in range(1, VOCABULARY + 1)))


def page(number: int, words: list[str], weights: list[float]) -> bytes:
    text = random.Random(number).choices(words, cum_weights=weights, k=WORDS)
    paragraphs = "".join(f"<p>{' '.join(text[start : start + 60])}.</p>" for start in range(0, WORDS, 60))
    above = number
    parents = []
    while above:
        above = (above - 1) // LINKS
        parents.append(above)
    navigation = "".join(f'<a href="/{one}">{one}</a> ' for one in parents)
    links = "".join(
        f'<li><a href="/{child}">{text[child % WORDS]} {child}</a></li>'
        for child in range(number * LINKS + 1, number * LINKS + LINKS + 1)
    )
    title = f"{text[0]} {text[1]} {number}"
    return (
        f"<!doctype html><html lang=la><title>{title}</title><nav>{navigation}</nav>"
        f"<h1>{title}</h1>{paragraphs}<h2>{text[2]}</h2><ul>{links}</ul></html>"
    ).encode()


def serve(pipe: Connection) -> None:
    """Sends the port through the pipe, and answers for ever; each number is a page, everything else is not there."""
    words, weights = vocabulary()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                path = head.split(b" ", 2)[1].decode().lstrip("/")
                body = page(int(path or 0), words, weights) if not path or path.isdigit() else b""
                status = b"200 OK" if body else b"404 Not Found"
                writer.write(
                    b"HTTP/1.1 %b\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: %d\r\n\r\n%b"
                    % (status, len(body), body)
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def run() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


class Sample(NamedTuple):
    """The state of a crawl at a moment."""

    seconds: float
    pages: float
    cpu_seconds: float
    resident_mb: float


def samples(crawl: "subprocess.Popen[str]", db: Path, every: float) -> Iterator[Sample]:
    """Looks at the crawl every so many seconds until it ends; pages are counted in the file, as committed."""
    started = time.monotonic()
    while crawl.poll() is None:
        yield Sample(time.monotonic() - started, committed(db), cpu(crawl.pid), status_mb(crawl.pid, "VmRSS"))
        with contextlib.suppress(subprocess.TimeoutExpired):
            crawl.wait(every)


def at(pages: float, seen: list[Sample]) -> Sample:
    """The state when so many pages were stored, as if it changed evenly from one look to the next."""
    for before, after in pairwise(seen):
        if before.pages <= pages <= after.pages and before.pages < after.pages:
            part = (pages - before.pages) / (after.pages - before.pages)
            return Sample(*(one + part * (other - one) for one, other in zip(before, after, strict=True)))
    return seen[-1]


def committed(db: Path) -> int:
    try:
        connection = sqlite3.connect(f"{db.as_uri()}?mode=ro", uri=True)
        try:
            return int(connection.execute("SELECT count(*) FROM pages").fetchone()[0])
        finally:
            connection.close()
    except sqlite3.Error:
        return 0


def cpu(process: int) -> float:
    """Seconds of CPU time so far (proc(5), utime and stime)."""
    try:
        ticks = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    except OSError:
        return 0.0
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def status_mb(process: int, name: str) -> float:
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(name)), 0.0)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pages", type=int, default=100_000, help="to fetch; ten times as many URLs become known")
    parser.add_argument("--every", type=float, default=0.5, metavar="SECONDS", help="between two looks")
    options = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    with tempfile.TemporaryDirectory() as folder:
        db = Path(folder) / "crawl.db"
        command = [sys.executable, "-m", "crawler", "--seed", f"http://127.0.0.1:{ours.recv()}/0", "--depth", "30"]
        command += ["--max-pages", str(options.pages), "--db", str(db), "--config", "/dev/null", "--json", "-q"]
        crawl = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        seen = list(samples(crawl, db, options.every))
        assert crawl.stdout is not None
        report = json.loads(crawl.stdout.read())
        connection = sqlite3.connect(db)
        known = connection.execute("SELECT count(*) FROM urls").fetchone()[0]
        connection.close()
        size = db.stat().st_size
    server.terminate()

    most = max(one.pages for one in seen)
    bounds = [at(most * tenth / 10, seen) for tenth in range(11)]
    paces = []
    print(f"{'pages':>8} {'pages/s':>8} {'CPU ms a page':>14} {'resident MB':>12}")
    for before, after in pairwise(bounds):
        pages = after.pages - before.pages
        paces.append(pages / (after.seconds - before.seconds))
        cpu_ms = 1000 * (after.cpu_seconds - before.cpu_seconds) / pages
        print(f"{after.pages:8.0f} {paces[-1]:8.1f} {cpu_ms:14.2f} {after.resident_mb:12.0f}")
    peak = max(one.resident_mb for one in seen)
    print(
        f"{report['pages']} pages fetched, {known} URLs known, {size / 1e6:.0f} MB in the file, "
        f"{report['seconds']:.0f} s; "
        f"peak {peak:.0f} MB, the last tenth at {paces[-1] / paces[0]:.2f} of the pace of the first"
    )
    return 0 if peak <= MOST_MB and paces[-1] >= LEAST_PACE * paces[0] else 1


if __name__ == "__main__":
    sys.exit(main())
