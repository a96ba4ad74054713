"""Where the time of a crawl goes, and what bounds it."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crawler import Report
from crawler.stages import ENDING, FETCHING, INDEXING, Account, Spent, Stage, bound, total
from crawler.summaries import bounds, profile
from tests.site import Site

Run = Callable[..., Report]
STAGES = [*FETCHING, *INDEXING, *ENDING]
README = Path(__file__).parent.parent / "README.md"


def fetchers_seconds(report: Report) -> float:
    return sum(report.stages[stage].seconds for stage in FETCHING)


def star(site: Site, pages: int) -> None:
    """A front page that links to so many others."""
    paths = [f"/{number}" for number in range(pages)]
    site.page("/", links=paths)
    for path in paths:
        site.page(path)


class TestAccount:
    def test_the_stages_of_a_thread_add_up_to_its_life(self) -> None:
        """No instant is counted twice, and none is lost: a stage inside another one takes its time from that."""
        account = Account("idle")
        before = time.monotonic()
        with account:
            begun = time.monotonic()
            with account("parse"):
                fetching = time.monotonic()
                with account("fetch"):
                    asked = time.monotonic()
                    sum(range(100_000))
                    answered = time.monotonic()
                fetched = time.monotonic()
            with account("put"):
                sum(range(1000))
            ended = time.monotonic()
        after = time.monotonic()
        spent = sum(account.spent(stage).seconds for stage in ("idle", "parse", "fetch", "put"))
        assert ended - begun <= spent <= after - before
        assert answered - asked <= account.spent("fetch").seconds <= fetched - fetching
        assert account.spent("delay") == Spent()

    def test_a_stage_ends_with_the_error_that_ends_it(self) -> None:
        """What comes after an error counts for the stage outside."""
        account = Account("get")
        with account:
            with pytest.raises(OSError, match="disk"), account("commit"):
                raise OSError("disk")
            failed = account.spent("commit")
            sum(range(100_000))
        assert account.spent("commit") == failed
        assert account.spent("get").seconds > 0

    def test_the_total_names_every_stage(self) -> None:
        """What nobody did is there, too, as nothing."""
        one, other = Account(), Account()
        for account in (one, other):
            with account("put"):
                sum(range(1_000_000))
        sums = total([one, other])
        assert list(sums) == STAGES
        assert sums["put"].seconds == pytest.approx(one.spent("put").seconds + other.spent("put").seconds, abs=0.001)
        assert sums["finish"] == Spent(0.0, 0.0)


@pytest.mark.parametrize(
    ("cores", "stages", "expected"),
    [
        (1, {}, ""),
        (1, {"finish": (5, 5)}, ""),
        (1, {"fetch": (30, 1), "parse": (5, 5), "commit": (2, 2)}, "cpu"),
        (2, {"fetch": (30, 1), "parse": (5, 5), "commit": (2, 2)}, "latency"),
        (1, {"fetch": (20, 1), "parse": (8, 4), "commit": (9, 1)}, "latency"),  # threads meet, and there is room yet
        (1, {"fetch": (8, 1), "parse": (20, 4), "commit": (9, 1)}, "cpu"),  # they wait for the GIL, or for others' work
        (1, {"fetch": (20, 1), "parse": (1, 1), "put": (8, 0), "commit": (9, 1)}, "disk"),
        (1, {"fetch": (20, 1), "parse": (1, 1), "put": (1, 0), "commit": (9, 1)}, "latency"),
        (1, {"fetch": (20, 1), "parse": (1, 1), "delay": (15, 0)}, "latency"),
        (1, {"fetch": (20, 1), "parse": (1, 1), "delay": (25, 0)}, "politeness"),
        (1, {"fetch": (4, 1), "parse": (1, 1), "delay": (10, 0), "per_host": (25, 0)}, "latency"),
        (1, {"fetch": (1, 0), "parse": (0, 0), "idle": (39, 0)}, "latency"),
        (4, {"fetch": (9, 1), "parse": (11, 9)}, "cpu"),
    ],
)
def test_what_bounds_a_crawl(cores: int, stages: dict[Stage, tuple[float, float]], expected: str) -> None:
    """The rules, for a crawl of ten seconds."""
    nothing: dict[Stage, Spent] = total([])
    assert bound(nothing | {stage: Spent(*spent) for stage, spent in stages.items()}, 10.0, cores) == expected


def test_what_threads_lack_most_is_named() -> None:
    """Where most of them have nothing to do, it would not help to ask the host for more at once."""
    spent: dict[Stage, Spent] = {"fetch": Spent(10, 1), "idle": Spent(24), "per_host": Spent(7)}
    nothing = Report(
        pages=1, failed=0, skipped=0, queued=0, gone=0, reasons={}, fetched=1, indexed=1, bytes=1, seconds=10.0,
        interrupted=False, resumed=False, seeds={}, stages=total([]) | spent, bound="latency",
    )  # fmt: skip
    assert "too few links" in bounds(nothing)
    waiting: dict[Stage, Spent] = {"idle": Spent(7), "per_host": Spent(24)}
    assert "a greater --per-host" in bounds(replace(nothing, stages=nothing.stages | waiting))


class TestCrawl:
    def test_a_slow_server_shows_as_fetching(self, site: Site, run: Run) -> None:
        """Every reply of a slow server is waited for; who has no other thread is told that one would help."""
        star(site, 9)
        site.latency = 0.2
        report = run(threads=1)
        assert report.stages["fetch"].seconds >= (10 + 1) * 0.2  # robots.txt, too
        assert report.stages["fetch"].cpu_seconds < report.stages["fetch"].seconds
        assert report.bound == "latency"
        assert "more --threads would help" in bounds(report)

    def test_threads_that_wait_for_a_slow_host_say_so(self, site: Site, run: Run) -> None:
        """Of four threads that may use a host one at a time, three wait for it: more of them would do no good."""
        star(site, 5)
        site.latency = 0.2
        report = run(threads=4, per_host=1)
        assert report.stages["per_host"].seconds > report.stages["fetch"].seconds
        assert report.bound == "latency"
        assert "a greater --per-host would help" in bounds(report)

    def test_links_that_come_one_after_another_leave_threads_idle(self, site: Site, run: Run) -> None:
        """Where each page names the next one alone, threads have nothing to do, and more would not have either."""
        for number in range(8):
            site.page(f"/{number}", links=[f"/{number + 1}"])
        site.latency = 0.1
        report = run("/0", threads=4, per_host=4, depth=7)
        assert report.stages["idle"].seconds > report.stages["fetch"].seconds
        assert report.bound == "latency"
        assert "too few links" in bounds(report)

    def test_a_delay_shows_as_politeness(self, site: Site, run: Run) -> None:
        """Who lets a host rest is bound by that."""
        star(site, 4)
        report = run(threads=2, per_host=1, delay=0.3)
        assert report.stages["delay"].seconds > report.stages["fetch"].seconds
        assert report.stages["delay"].cpu_seconds < report.stages["delay"].seconds
        assert report.bound == "politeness"
        assert "a shorter --delay where you may" in bounds(report)

    def test_fast_pages_show_as_cpu(self, site: Site, run: Run) -> None:
        """Large pages that come at once are bound by taking them apart."""
        body = "".join(f"<h2 id=s{n}>Part {n}</h2><p>Some words <a href=/out/{n}>out</a></p>" for n in range(2000))
        paths = [f"/{number}" for number in range(8)]
        for path in ["/", *paths]:
            site.page(path, links=paths, body=body)
        report = run(depth=1, exclude=("/out/*",))
        assert report.stages["parse"].cpu_seconds > 0
        assert report.bound == "cpu"
        assert "What bounds it: the CPU" in bounds(report)

    def test_the_fetchers_account_for_no_more_than_their_lives(self, site: Site, run: Run) -> None:
        """The stages of the threads of a kind are within what so many threads have of time; none is negative."""
        star(site, 30)
        before = time.monotonic()
        report = run(threads=3, indexers=2)
        seconds = time.monotonic() - before
        assert all(spent.seconds >= 0 and spent.cpu_seconds >= 0 for spent in report.stages.values())
        assert fetchers_seconds(report) <= 3 * seconds
        assert sum(report.stages[stage].seconds for stage in INDEXING) <= 2 * seconds
        assert 0 < report.stages["commit"].seconds <= seconds  # one at a time
        assert 0 < report.stages["finish"].seconds <= seconds

    def test_an_interrupted_crawl_has_its_account(self, site: Site, run: Run) -> None:
        """Whoever stops a crawl learns what it did until then, but for an end that it did not come to."""
        star(site, 50)
        site.latency = 0.05
        report = run(threads=2, interrupts=lambda: int(len(site.paths) >= 5))
        assert report.interrupted
        assert report.queued
        assert report.stages["fetch"].seconds >= 5 * 0.05
        assert report.stages["finish"] == Spent(0.0, 0.0)
        assert report.bound

    def test_nothing_bounds_a_crawl_without_work(self, site: Site, run: Run) -> None:
        """When nothing is left to fetch, nothing was waited for, and nothing is said."""
        site.page("/")
        run()
        again = run()
        assert (again.bound, bounds(again), fetchers_seconds(again)) == ("", "", 0)


class TestFaces:
    @pytest.fixture
    def crawl(self, site: Site, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
        site.page("/", links=["/a"])
        site.page("/a")

        def start(*args: str) -> subprocess.CompletedProcess[str]:
            command = [sys.executable, "-m", "crawler", *args]
            return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)

        return start

    def test_the_profile_is_a_table_after_the_summary(self, site: Site, crawl: Any) -> None:
        """A line for each stage and one that draws the conclusion, on standard error; --json has the same numbers."""
        done = crawl("--seed", site.url(), "--profile", "--json")
        lines = done.stderr.splitlines()
        header = next(number for number, line in enumerate(lines) if line.startswith("stage"))
        assert any("Indexed 2 pages" in line for line in lines[:header])
        assert [line.split()[0] for line in lines[header + 1 : -1]] == STAGES
        assert re.match(r"Time: \d+ % .*\. What bounds it: .*\.$", lines[-1])
        report = json.loads(done.stdout)
        assert list(report["stages"]) == STAGES
        assert all(set(spent) == {"seconds", "cpu_seconds"} for spent in report["stages"].values())
        assert report["bound"] in ("cpu", "latency", "politeness", "disk")
        fetch = next(line for line in lines if line.startswith("fetch"))
        assert float(fetch.split()[1]) == pytest.approx(report["stages"]["fetch"]["seconds"], abs=0.01)

    def test_verbose_is_told_in_a_line(self, site: Site, crawl: Any) -> None:
        """-v says what bounds a crawl or an update, without the table; without either flag, nothing is said of it."""
        seed = ("--seed", site.url())
        assert "What bounds it" not in crawl(*seed).stderr
        for told in (crawl(*seed, "--fresh", "-v"), crawl("update", "--older-than", "0", "-v")):
            assert told.stderr.splitlines()[-1].startswith("Time: ")
            assert "stage  " not in told.stderr

    def test_shares_are_of_the_threads_of_a_kind(self, run: Run, site: Site) -> None:
        """Fetchers, indexers and the end have a hundred per cent each, but for rounding."""
        star(site, 5)
        lines = profile(run()).splitlines()[1:]
        for who in ("fetchers", "indexers", "the end"):
            shares = [int(line.split()[2]) for line in lines if f"  {who}: " in line]
            assert sum(shares) == pytest.approx(100, abs=len(shares) / 2)

    def test_every_stage_stands_in_the_readme(self) -> None:
        """The reference explains each of them, and no other."""
        section = README.read_text().split("### What bounds a crawl\n")[1].split("\n### ")[0]
        assert sorted(re.findall(r"^\| `(\w+)` \|", section, re.M)) == sorted(STAGES)
