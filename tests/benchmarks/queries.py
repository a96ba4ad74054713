"""How long do searches take in a large index? By hand.

Crawls the made-up site of memory.py (or opens an index of it that is there), and searches it for rare and for common
words, for pairs and threes of them, for titles, and for what stands there at every key while a query is typed. Prints
the median and the 95th percentile of each, the CPU seconds of `crawl search` from the shell, and the size of the index
beside that of its text.

    python -m tests.benchmarks.queries --pages 100000 --keep big.db
"""

import argparse
import multiprocessing
import random
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from crawler import Index
from tests.benchmarks.memory import serve, vocabulary

EACH = 150  # queries of a kind


def crawl(db: Path, pages: int) -> None:
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    command = [sys.executable, "-m", "crawler", "--seed", f"http://127.0.0.1:{ours.recv()}/0", "--depth", "30", "-q"]
    command += ["--max-pages", str(pages), "--db", str(db), "--config", "/dev/null", "--no-sitemaps"]
    subprocess.run(command, check=True)
    server.terminate()


def row(name: str, queries: Sequence[str], ask: Callable[[str], object]) -> None:
    times = []
    for query in queries:
        started = time.perf_counter()
        ask(query)
        times.append((time.perf_counter() - started) * 1000)
    times.sort()
    median, p95, most = times[len(times) // 2], times[int(0.95 * len(times))], times[-1]
    print(f"{name:24} {len(times):6} {median:10.1f} {p95:10.1f} {most:10.1f}")


def shell_seconds(db: Path, query: str) -> float:
    """CPU seconds of the command, all in."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "crawler", "search", query, "--db", str(db)], capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pages", type=int, default=100_000)
    parser.add_argument("--keep", type=Path, metavar="PATH", help="of the index: used if it is there, else made there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        db = options.keep or Path(folder) / "crawl.db"
        if not db.exists():
            crawl(db, options.pages)
        words, weights = vocabulary()
        chance = random.Random(3)
        connection = sqlite3.connect(f"{db.absolute().as_uri()}?mode=ro", uri=True)
        titles = [
            title for (title,) in connection.execute("SELECT title FROM pages WHERE id % 997 = 0 LIMIT ?", (EACH,))
        ]
        (text,) = connection.execute("SELECT sum(length(CAST(text AS BLOB))) FROM sections").fetchone()
        connection.close()

        def some(count: int) -> list[str]:
            return [" ".join(chance.choices(words, cum_weights=weights, k=count)) for _ in range(EACH)]

        print(f"{'queries':24} {'':>6} {'median ms':>10} {'p95 ms':>10} {'most':>10}")
        with Index(db) as index:
            row("a word, any", chance.choices(words, k=EACH), index.search)
            for count, name in ((1, "a word"), (2, "two words"), (3, "three words")):
                row(f"{name}, as they come", some(count), index.search)
            row("the commonest words", words[:20], index.search)
            row("titles", titles, index.search)
            row("+two +words", ["+" + " +".join(query.split()) for query in some(2)], index.search)
            row("a word -another", [query.replace(" ", " -") for query in some(2)], index.search)
            row("a word path:*0.html", [f"{query} path:*{chance.randrange(100)}" for query in some(1)], index.search)
            row("a word lang:la", [f"{query} lang:la" for query in some(1)], index.search)
            row("a word, tenth page", some(1), partial(index.search, page=10))
            typed = [query[:end] for query in some(2)[:50] for end in range(1, len(query) + 1)]
            row("at every key", typed, index.complete)
        print(f"crawl search: {shell_seconds(db, some(2)[0]):.2f} s of CPU")
        print(f"{db.stat().st_size / 1e6:.0f} MB in the file, {text / 1e6:.0f} MB of text")
    return 0


if __name__ == "__main__":
    sys.exit(main())
