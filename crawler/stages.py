"""Where the time of a crawl goes: an account that each thread keeps for itself, and what all of them say together."""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, Self

Stage = Literal["fetch", "parse", "delay", "per_host", "idle", "put", "get", "commit", "finish"]
Bound = Literal["", "cpu", "latency", "politeness", "disk"]

FETCHING: Final[Mapping[Stage, str]] = {
    "fetch": "waiting for servers",
    "parse": "parsing",
    "delay": "letting hosts rest",
    "per_host": "waiting for a host in use",
    "idle": "nothing to do",
    "put": "waiting for the indexers",
}
"""What a fetcher does, in words."""
INDEXING: Final[Mapping[Stage, str]] = {"get": "waiting for pages", "commit": "writing to the index file"}
"""What an indexer does."""
ENDING: Final[Mapping[Stage, str]] = {"finish": "link texts, alike pages, counting words"}
"""What is done once at the end."""
_MOST: Final = 0.8
_NOTICED: Final = 0.1  # of the time of all fetchers


@dataclass(frozen=True, slots=True)
class Spent:
    """What a stage took, summed over the threads."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    """Of them, those that a core spent computing; the rest was waited: for servers, the disk, a core or the GIL."""


class Account:
    """What one thread does with its time: `with account("fetch"): …`. Only that thread may use it; others may read it
    once they have joined it. So no lock is needed, with the GIL or without.

    Every instant counts for one stage: a stage inside another one takes its time away from that. So the stages add up
    to the life of the thread, from the outermost `with` to its end. A stage costs two readings of the clocks, a few
    microseconds.
    """

    __slots__ = ("_cpu", "_next", "_spent", "_wall", "_within")

    def __init__(self, outermost: Stage = "parse") -> None:
        """`with account: …` without a stage is the outermost one."""
        self._next = outermost
        self._within: list[Stage] = []
        self._spent: defaultdict[Stage, list[float]] = defaultdict(lambda: [0.0, 0.0])
        self._wall = self._cpu = 0.0  # when the stage went on

    def __call__(self, stage: Stage) -> Self:
        self._next = stage
        return self

    def __enter__(self) -> None:
        self._turn()
        self._within.append(self._next)

    def __exit__(self, *_: object) -> None:
        self._turn()
        self._within.pop()

    def add(self, cpu_seconds: float) -> None:
        """What another process computed for this thread, in the present stage."""
        if self._within:
            self._spent[self._within[-1]][1] += cpu_seconds

    def _turn(self) -> None:
        wall, cpu = time.monotonic(), time.thread_time()
        if self._within:
            spent = self._spent[self._within[-1]]
            spent[0] += wall - self._wall
            spent[1] += cpu - self._cpu
        self._wall, self._cpu = wall, cpu

    def spent(self, stage: Stage) -> Spent:
        """On a stage so far, but for what is under way."""
        return Spent(*self._spent.get(stage, ()))


def total(accounts: Iterable[Account]) -> dict[Stage, Spent]:
    """The sums over all threads, of every stage."""
    some = list(accounts)
    return {stage: _sum(account.spent(stage) for account in some) for stage in (*FETCHING, *INDEXING, *ENDING)}


def _sum(each: Iterable[Spent]) -> Spent:
    some = list(each)
    return Spent(round(sum(one.seconds for one in some), 3), round(sum(one.cpu_seconds for one in some), 3))


def bound(stages: Mapping[Stage, Spent], seconds: float, cores: int) -> Bound:
    """What bounds a crawl that took so many seconds, on so many cores (one, where there is a GIL); empty for none.

    1. The CPU, if its threads computed for four fifths of the time that the cores have.
    2. Otherwise the disk, if some indexer was at a commit for four fifths of the time (they commit one at a time), and
       fetchers waited for it. Where they do not, it is the indexer that waits for a core or the GIL.
    3. Otherwise what fetchers did for longest: waiting for servers, letting hosts rest, or parsing after all, as where
       others have the cores. Who waits for a host that others have in use waits for what those do meanwhile. Who has
       nothing to do bounds nothing.
    """
    fetch, parse, delay, put = (stages[stage].seconds for stage in ("fetch", "parse", "delay", "put"))
    if not fetch + parse + delay:
        return ""
    if sum(stages[stage].cpu_seconds for stage in (*FETCHING, *INDEXING)) >= _MOST * cores * seconds:
        return "cpu"
    waits = put >= _NOTICED * sum(stages[stage].seconds for stage in FETCHING)
    if waits and stages["commit"].seconds >= _MOST * seconds:
        return "disk"
    behind = 1 + stages["per_host"].seconds / (fetch + parse) if fetch + parse else 1.0
    longest = max(fetch * behind, delay, parse * behind)
    return "politeness" if longest == delay else "cpu" if longest == parse * behind else "latency"
