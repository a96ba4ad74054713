"""Our crawl against Scrapy, crawlee-python, spider-rs and the floor: the same sites, the same work, in turns. By hand.

    python -m tests.benchmarks.peers

Makes up a site of small pages, takes the Python documentation (Debian's package python3.11-doc), if it is installed, as
one of large pages, serves both from this machine by one worker of nginx (`apt-get install nginx-light`), installs the
peers in a folder that is kept (`--cache`; not those that would need a compiler), and prints a table for each site. Or
give the URLs of sites of your own, on a server that is faster than any crawler (nginx, not http.server).

Measures what a user waits and pays for: wall clock time, CPU time and peak memory of a whole child process with all
that it starts, from the start of its interpreter to its exit, and the bytes on disk that it leaves. Every contender
does the same work: it obeys robots.txt, fetches from one host and port, takes title, text (without scripts and styles)
and links with their anchor texts from each HTML page, and puts all of it into one SQLite file, the pages into an FTS5
table (porter unicode61; WAL, synchronous=NORMAL, up to 64 pages a transaction). `contenders.py` says how each does it.

Ours runs as a user would run it, and does more than the peers: sections, links to other hosts, the state of each
URL, a crawl that can be resumed. It also indexes plain text, which the peers leave out.

The floor is what the work costs with nothing around it, in one thread of Python, from a list of URLs that a crawl of
ours has found before. Its pages a second are those that it would reach if its CPU time were spread evenly over all
cores, and the server had cores of its own.

The memory is the sum of the proportional set sizes (PSS) of all processes, looked at ten times a second, and at least
the largest resident set of one of them. On a busy machine trust the ratios, which are of neighbours in time, more than
the rest, and those of CPU time most. Exit code 1: a contender failed, or the page counts differ by more than 1 %, and
then the numbers mean nothing.
"""

import argparse
import json
import os
import shutil
import signal
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import NamedTuple

from tests.benchmarks import installation, sites
from tests.benchmarks.installation import say
from tests.benchmarks.processes import run

# In the order in which they take turns, with the packages whose versions tell what was measured.
PACKAGES = {
    "ours": ("selectolax", "requests", "urllib3"),
    "floor": ("selectolax",),
    "scrapy": ("Scrapy", "Twisted", "parsel", "lxml"),
    "crawlee": ("crawlee", "impit", "parsel", "lxml"),
    "spider": ("selectolax",),
    "scrapy-tuned": ("Scrapy", "Twisted", "lxml"),
    "crawlee-tuned": ("crawlee", "impit", "lxml"),
}
BY_DEFAULT = ("ours", "floor", "scrapy", "crawlee", "spider")
OF_PEERS = ("scrapy", "crawlee")  # what their names begin with is run by the peers' interpreter
LOSES = "spider"  # pages, on their way to Node.js, in one run of four: such a run is made again,
MOST_TRIES = 10  # so many times at most
TOLERATED_DIFFERENCE = 0.01  # between the page counts of one round
THIS_TREE = Path(__file__).parents[2]


class Contender(NamedTuple):
    """How a contender is run."""

    name: str
    python: str
    variables: dict[str, str]
    """Of its environment."""

    @property
    def versions(self) -> str:
        known = installation.versions(self.python, PACKAGES[self.name], self.variables)
        return f"{known}, spider-rs {installation.SPIDER}" if self.name == "spider" else known


class Run(NamedTuple):
    """What one run of a contender came to."""

    pages: int
    seconds: float
    cpu_seconds: float
    peak_mb: float
    disk_mb: float

    @property
    def pages_per_second(self) -> float:
        return self.pages / self.seconds

    @property
    def cpu_ms_per_page(self) -> float:
        return 1000 * self.cpu_seconds / self.pages


Rounds = list[dict[str, Run]]


def main() -> int:
    arguments = parsed_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # or nginx would go on
    contenders = list(found_contenders(arguments))
    print(f"rounds: {arguments.rounds}; cores: {cores()}")
    for contender in contenders:
        print(f"{contender.name}: {contender.versions}")
    if not contenders:
        print("nothing to compare")
        return 1
    with tempfile.TemporaryDirectory(prefix="peers-") as folder:
        if arguments.seeds:
            return max([compared(seed, seed, contenders, arguments) for seed in arguments.seeds])
        os.chmod(folder, 0o755)  # nginx may run as somebody else
        made_up, servers_own = Path(folder, "made-up"), Path(folder, "nginx")
        made_up.mkdir()
        servers_own.mkdir()
        first_pages = {f"{arguments.pages} small pages": sites.make_up(made_up, arguments.pages)}
        if (documentation := sites.python_docs()) is not None:
            first_pages["Python documentation"] = documentation
        else:
            print("left out: the Python documentation, which is not installed (apt-get install python3.11-doc)")
        with sites.served(first_pages, servers_own) as seeds:
            return max([compared(name, seed, contenders, arguments) for name, seed in seeds.items()])


def parsed_arguments() -> argparse.Namespace:
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m tests.benchmarks.peers", description=__doc__, formatter_class=layout)
    option = parser.add_argument
    option(
        "seeds", metavar="SEED", nargs="*", help="where crawls begin, each of a site of its own, instead of both sites"
    )
    option("--pages", type=int, default=sites.PAGES, metavar="N", help=f"of the made-up site  [default: {sites.PAGES}]")
    option("--rounds", type=int, default=3, metavar="N", help="[default: 3]")
    option("--only", type=names, default=BY_DEFAULT, metavar="NAMES", help=f"some of {','.join(PACKAGES)}")
    option(
        "--ours",
        type=interpreter,
        metavar="PYTHON",
        help="has crawler  [default: this one, with the crawler beside this file]",
    )
    option(
        "--peers",
        type=interpreter,
        metavar="PYTHON",
        help="has scrapy and crawlee[parsel]  [default: one in the cache]",
    )
    option("--cache", type=Path, default=installation.cache(), metavar="FOLDER", help="[default: %(default)s]")
    option("--timeout", type=float, default=600.0, metavar="SECONDS", help="of one run  [default: 600]")
    arguments = parser.parse_args()
    if arguments.rounds < 1 or arguments.pages < 1:
        parser.error("--rounds and --pages are at least 1")
    return arguments


def interpreter(text: str) -> str:
    """Where it is, whatever folder it is run in."""
    if (found := shutil.which(text)) is None:
        raise argparse.ArgumentTypeError(f"no program {text}")
    return os.path.abspath(found)


def names(text: str) -> tuple[str, ...]:
    """The names in a list with commas, in the order in which they take turns."""
    wanted = set(text.split(","))
    if unknown := wanted - set(PACKAGES):
        raise argparse.ArgumentTypeError(f"no contender {', '.join(sorted(unknown))}")
    return tuple(name for name in PACKAGES if name in wanted)


def found_contenders(arguments: argparse.Namespace) -> Iterable[Contender]:
    """Those that are wanted and can be had."""
    peers = arguments.peers
    for name in arguments.only:
        if name.startswith(OF_PEERS):
            peers = peers or installation.peers(arguments.cache.absolute())
            if installation.has(peers, name.removesuffix("-tuned")):
                yield Contender(name, peers, {})
            else:
                print(f"left out: {name}, which {peers} does not have")
        elif name != "spider":
            yield ours(name, arguments)
        elif (packages := installation.spider(arguments.cache.absolute())) is not None:
            yield Contender(name, sys.executable, {"NODE_PATH": str(packages)})
        else:
            print("left out: spider, which needs Node.js, npm and a binary of spider-rs for this machine")


def ours(name: str, arguments: argparse.Namespace) -> Contender:
    if arguments.ours:
        return Contender(name, arguments.ours, {})
    return Contender(name, sys.executable, {"PYTHONPATH": str(THIS_TREE)})


def compared(title: str, seed: str, contenders: list[Contender], arguments: argparse.Namespace) -> int:
    """Lets the contenders crawl a site in turns and prints what it came to; the exit code."""
    urls = urls_of(seed, arguments)
    rounds: Rounds = []
    for number in range(1, arguments.rounds + 1):
        runs = {}
        for contender in contenders:
            for _ in range(MOST_TRIES if contender.name == LOSES else 1):
                runs[contender.name] = one = measured(contender, seed, urls, arguments.timeout)
                say(
                    f"{title}, round {number}: {contender.name}: {one.pages} pages, {one.pages_per_second:.1f} a second"
                )
                if one.pages >= (1 - TOLERATED_DIFFERENCE) * len(urls):
                    break
        rounds.append(runs)
    print(f"\n{title}", *table(rounds), sep="\n")
    disagreements = list(differing_page_counts(rounds))
    if disagreements:
        print("!!! NOT THE SAME WORK: THE NUMBERS ABOVE MEAN NOTHING", *disagreements, sep="\n!!! ")
    return 1 if disagreements else 0


def urls_of(seed: str, arguments: argparse.Namespace) -> list[str]:
    """The pages of a site, as our crawl finds them."""
    with tempfile.TemporaryDirectory(prefix="peers-") as folder:
        contender = ours("ours", arguments)
        db = Path(folder, "index.db")
        run(command_of(contender, seed, db), Path(folder), arguments.timeout, contender.variables)
        with closing(sqlite3.connect(db)) as connection:
            return [url for (url,) in connection.execute("SELECT url FROM pages ORDER BY rowid")]


def command_of(contender: Contender, seed: str, db: Path) -> list[str]:
    if contender.name == "ours":
        return [contender.python, "-m", "crawler", "--seed", seed, "--depth", "50", "--db", str(db), "-q", "--json"]
    return [contender.python, str(Path(__file__).with_name("contenders.py")), contender.name, seed, str(db)]


def measured(contender: Contender, seed: str, urls: Iterable[str], timeout: float) -> Run:
    """Runs a contender in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="peers-") as folder:
        db, listed = Path(folder, "index.db"), Path(folder, "urls")
        listed.write_text("\n".join(urls))
        command = command_of(contender, str(listed) if contender.name == "floor" else seed, db)
        output, cost = run(command, Path(folder), timeout, contender.variables)
        pages = json.loads(output)["pages"]
        if not pages:
            raise SystemExit(f"{contender.name}: no page of {seed} was indexed")
        disk_mb = sum(one.stat().st_size for one in db.parent.glob(f"{db.name}*")) / 1e6
    seconds = cost.cpu_seconds / cores() if contender.name == "floor" else cost.wall_seconds
    return Run(pages, seconds, cost.cpu_seconds, cost.peak_mb, disk_mb)


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def table(rounds: Rounds) -> Iterable[str]:
    """Medians over the rounds, a line a contender, and how ours compares with it: median, least and most of a round."""
    yield (
        f"{'contender':13} {'pages':>6} {'pages/s':>8} {'CPU ms/page':>12} {'peak MB':>8} {'disk MB':>8}"
        f" {'pages/s: ours/it':>21} {'CPU/page: ours/it':>21}"
    )
    for name in rounds[0]:
        runs = [runs[name] for runs in rounds]
        yield (
            f"{name:13} {runs[-1].pages:6} {median(one.pages_per_second for one in runs):8.1f} "
            f"{median(one.cpu_ms_per_page for one in runs):12.2f} {median(one.peak_mb for one in runs):8.0f} "
            f"{median(one.disk_mb for one in runs):8.1f} "
            f"{ratio(rounds, name, lambda one: one.pages_per_second):>21} "
            f"{ratio(rounds, name, lambda one: one.cpu_ms_per_page):>21}"
        ).rstrip()


def ratio(rounds: Rounds, name: str, value: Callable[[Run], float]) -> str:
    """How many times a value of a contender's ours is: `5.80 (5.71-5.92)`; empty where there is nothing to compare."""
    if name == "ours" or "ours" not in rounds[0]:
        return ""
    each = [value(runs["ours"]) / value(runs[name]) for runs in rounds]
    return f"{median(each):.2f} ({min(each):.2f}–{max(each):.2f})"


def differing_page_counts(rounds: Iterable[Mapping[str, Run]]) -> Iterable[str]:
    """A line for each round whose page counts are further apart than tolerated."""
    for number, runs in enumerate(rounds, 1):
        counts = [one.pages for one in runs.values()]
        if max(counts) - min(counts) > TOLERATED_DIFFERENCE * max(counts):
            yield f"round {number}: " + ", ".join(f"{name} {one.pages} pages" for name, one in runs.items())


if __name__ == "__main__":
    sys.exit(main())
