"""Faults that a process brings upon itself, as the variable CHAOS tells it. The product holds no fail points.

Python imports a module of this name when it starts, if its folder is on the path.

steps     a file to which every statement is written, in the order of execution
kill_at   SIGKILL before the statement of this number, of those that `kill_in` matches (1 is the first);
          `signal` is another signal
kill_in   an expression, held against the beginning of statements; default: all
instead   an expression and what to execute instead of the statements that match
pragmas   executed on every new connection
file_size the limit of the kernel for the size of a file; with `torn`, the write beyond it kills the process
files     so many files can be open at once
meek      root's power over files of others and of no permission is given up: what is read-only is so
terminal  standard error becomes the controlling terminal
imported  SIGINT when this module is imported
threads   so many threads can be started, and no more
starved   where memory is short: a dotted name of a function that raises MemoryError
clock     the wall clock runs backwards and forwards by so many seconds, at every other look
"""

import ctypes
import fcntl
import json
import os
import re
import resource
import signal
import sqlite3
import sys
import termios
import threading
import time
from importlib import import_module
from typing import Any

told: dict[str, Any] = json.loads(os.environ.get("CHAOS", "{}"))
matching = re.compile(told.get("kill_in", ""))
counted = 0


def step(statement: str) -> None:
    """Before every statement, and before and after a connection is closed."""
    global counted
    if statement.startswith("--"):  # of a trigger: part of the statement that is under way
        return
    statement = " ".join(statement.split())
    if "steps" in told:
        with open(told["steps"], "a") as file:
            file.write(statement[:60] + "\n")
    if "kill_at" in told and matching.match(statement):
        counted += 1
        if counted == told["kill_at"]:
            os.kill(os.getpid(), told.get("signal", signal.SIGKILL))


class Connection(sqlite3.Connection):
    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        for expression, other in told.get("instead", {}).items():
            if re.match(expression, statement):
                statement = other
        return super().execute(statement, *values)

    def close(self) -> None:
        step("CLOSE")
        super().close()
        step("CLOSED")


def connect(*args: Any, _connect: Any = sqlite3.connect, **more: Any) -> sqlite3.Connection:
    connection: sqlite3.Connection = _connect(*args, factory=Connection, **more)
    for pragma in told.get("pragmas", ()):
        connection.execute(pragma)
    if "steps" in told or "kill_at" in told:
        connection.set_trace_callback(step)
    return connection


def start(thread: threading.Thread, _start: Any = threading.Thread.start, _room: list[int] = [0]) -> None:  # noqa: B006
    if thread.name.startswith("crawler-"):
        _room[0] += 1
        if _room[0] > told["threads"]:
            raise RuntimeError("can't start new thread")  # as CPython says it
    _start(thread)


def starve(name: str) -> None:
    def starved(*args: Any, **more: Any) -> Any:
        raise MemoryError

    module, _, function = name.rpartition(".")
    setattr(import_module(module), function, starved)


def drop_capabilities() -> None:
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
    if ctypes.CDLL(None).capset(header, (ctypes.c_uint32 * 6)()):
        raise OSError("cannot give up capabilities")


class Interrupting:
    """Finds no module, but interrupts the process when the one named is looked for."""

    def find_spec(self, name: str, *_: Any) -> None:
        if name == told["imported"]:
            os.kill(os.getpid(), signal.SIGINT)


def wall_clock(_time: Any = time.time, _looks: list[int] = [0]) -> float:  # noqa: B006
    _looks[0] += 1
    return float(_time()) + (told["clock"] if _looks[0] % 2 else -told["clock"])


if told:
    sqlite3.connect = connect  # type: ignore[assignment]
if "file_size" in told:
    resource.setrlimit(resource.RLIMIT_FSIZE, (told["file_size"], resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL if told.get("torn") else signal.SIG_IGN)
if "files" in told:
    resource.setrlimit(resource.RLIMIT_NOFILE, (told["files"], told["files"]))
if told.get("meek") and sys.platform == "linux":
    drop_capabilities()
if told.get("terminal"):
    fcntl.ioctl(2, termios.TIOCSCTTY, 0)
if "imported" in told:
    sys.meta_path.insert(0, Interrupting())  # type: ignore[arg-type]
if "threads" in told:
    threading.Thread.start = start  # type: ignore[method-assign]
if "starved" in told:
    starve(told["starved"])
if "clock" in told:
    time.time = wall_clock
