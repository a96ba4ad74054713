"""A child process, and what it and all processes that it starts cost."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

LOOK_EVERY = 0.1  # seconds between two looks at the memory
# All that a child gets of the environment: no CRAWL_*, no CRAWLEE_*, no *_proxy.
ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")


class Cost(NamedTuple):
    """Of a process with its descendants, from the start of its program to its exit."""

    wall_seconds: float
    cpu_seconds: float
    peak_mb: float


def run(
    command: Sequence[str], folder: Path, timeout: float, more: Mapping[str, str] | None = None
) -> tuple[str, Cost]:
    """Runs a command in a folder, where it finds no config.toml and no index of before; what it printed, and its cost.

    `more` are variables of its environment. Raises SystemExit when it fails or takes longer than `timeout` seconds.
    """
    output, errors = folder / "output", folder / "errors"
    with output.open("wb") as stdout, errors.open("wb") as stderr:
        started = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdout=stdout,
            stderr=stderr,
            cwd=folder,
            env=environment() | dict(more or {}),
            start_new_session=True,
        )
        watch = Watch(process.pid, started + timeout)
        try:
            watch.start()
            _, status, usage = os.wait4(process.pid, 0)  # the usage of this child and of those that it waited for
            wall_seconds = time.perf_counter() - started
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            watch.end()
            end_all(process.pid)
            process.wait()
    if process.returncode != 0:
        complaint = errors.read_text(errors="replace")[-4000:]
        raise SystemExit(f"{' '.join(command)}: exit code {process.returncode} after {wall_seconds:.0f} s\n{complaint}")
    unit = 1 if sys.platform == "darwin" else 1024
    peak_mb = max(watch.peak_mb, usage.ru_maxrss * unit / 1e6)  # of the largest process alone, but exact
    return output.read_text(), Cost(wall_seconds, usage.ru_utime + usage.ru_stime, peak_mb)


def environment() -> dict[str, str]:
    return {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}


class Watch(threading.Thread):
    """Looks at the memory of a process tree until it ends, and ends it at the deadline."""

    def __init__(self, process: int, deadline: float) -> None:
        super().__init__(daemon=True)
        self.peak_mb = 0.0
        self._process = process
        self._deadline = deadline
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(LOOK_EVERY):
            self.peak_mb = max(self.peak_mb, sum(map(memory_mb, tree(self._process))))
            if time.perf_counter() > self._deadline:
                end_all(self._process)

    def end(self) -> None:
        self._ended.set()
        self.join()


def end_all(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS refuses what is dead
        os.killpg(group, signal.SIGKILL)


def tree(process: int) -> Iterator[int]:
    """A process and its descendants; on Linux."""
    yield process
    try:
        children = [
            child for one in Path(f"/proc/{process}/task").glob("*/children") for child in one.read_text().split()
        ]
    except OSError:  # it has ended meanwhile
        return
    for child in children:
        yield from tree(int(child))


def memory_mb(process: int) -> float:
    """The proportional set size (PSS) of a process: what it shares counts in part; 0 where it is not known."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("Pss:")), 0.0)
