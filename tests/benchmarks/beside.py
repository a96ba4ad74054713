"""What do a crawl and searches beside it cost each other? By hand.

Crawls the made-up site of `memory.py`, alone and with another process that searches the same file all the while, in
turns, and prints the ratio of the two paces; and how long a search takes beside a crawl, and when nobody crawls.

    python tests/benchmarks/beside.py --pages 3000 --searches 10

Exit code 1: a search failed, or the crawl lost more than a tenth of its pace.
"""

import argparse
import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path
from statistics import median

from memory import serve, vocabulary

from crawler import IndexFileError, search

LEAST_PACE = 0.9


def search_on(db: str, per_second: float, stop: Event, pipe: Connection) -> None:
    """Searches until it is stopped; sends the milliseconds that each search took.

    For two words as people choose them: one that a tenth of the pages holds, and one that is rare.
    """
    words, _ = vocabulary()
    took = []
    for common, rare in zip(words[200:], words[2000:], strict=False):
        if stop.wait(1 / per_second):
            break
        try:
            started = time.perf_counter()
            search(f"{common} {rare}", db=db)
            took.append(1000 * (time.perf_counter() - started))
        except IndexFileError as error:
            if "no index yet" not in str(error):
                raise
    pipe.send(took)


def crawl(port: int, db: str, pages: int) -> float:
    """Pages a second of one crawl."""
    command = [sys.executable, "-m", "crawler", "--seed", f"http://127.0.0.1:{port}/0", "--depth", "30", "--json", "-q"]
    command += ["--max-pages", str(pages), "--db", db, "--config", "/dev/null"]
    report = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    return float(report["pages"] / report["seconds"])


def searching(db: str, per_second: float) -> tuple[Event, Connection]:
    """Starts to search in a process of its own."""
    context = multiprocessing.get_context("spawn")
    stop, (ours, theirs) = context.Event(), context.Pipe()
    context.Process(target=search_on, args=(db, per_second, stop, theirs), daemon=True).start()
    theirs.close()  # its death is the end of the pipe
    return stop, ours


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pages", type=int, default=3000)
    parser.add_argument("--searches", type=float, default=10.0, help="a second")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True).start()
    port = ours.recv()
    paces, beside, alone = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.rounds):
            first, second = (str(Path(folder) / f"{number}-{name}.db") for name in ("alone", "beside"))
            undisturbed = crawl(port, first, options.pages)
            stop, pipe = searching(second, options.searches)
            disturbed = crawl(port, second, options.pages)
            stop.set()
            beside += pipe.recv()
            stop, pipe = searching(second, options.searches)
            time.sleep(5)
            stop.set()
            alone += pipe.recv()
            paces.append(disturbed / undisturbed)
            print(f"alone {undisturbed:6.1f} pages/s, with searches {disturbed:6.1f}, ratio {paces[-1]:.2f}")
    print(f"median ratio {median(paces):.2f}")
    for name, took in (("beside a crawl", beside), ("when nobody crawls", alone)):
        print(f"{len(took)} searches {name}: median {median(took):.1f} ms, at most {max(took):.0f} ms")
    return 0 if median(paces) >= LEAST_PACE else 1


if __name__ == "__main__":
    sys.exit(main())
