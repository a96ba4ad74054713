"""Threads, memory, files, signals and clocks: what a system may do to a process while it crawls."""

import os
import pty
import signal
import subprocess

import pytest

from tests.chaos.harness import Content, Lab, content, ended, one_line, until


@pytest.mark.parametrize("files", [12, 32])
def test_few_open_files(lab: Lab, undisturbed: Content, files: int) -> None:
    """Fewer connections, or pages that fail for a passing reason; never a deadlock. The next run makes up for it."""
    done = lab.run(*lab.command, "--threads", "16", "--per-host", "16", files=files)
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode in (0, 1, 3, 4), done
    if done.returncode == 3:
        one_line(done)
    lab.forget_requests()
    lab.finish()
    assert content(lab.db) == undisturbed


@pytest.mark.parametrize("threads", [0, 1, 3, 5])
def test_a_thread_that_cannot_be_started(lab: Lab, undisturbed: Content, threads: int) -> None:
    """Neither an indexer nor a fetcher, not even the last one: one line, and nothing hangs."""
    assert "thread" in one_line(lab.run(threads=threads), 1)
    lab.check()
    lab.finish()
    assert content(lab.db) == undisturbed


@pytest.mark.parametrize("where", ["crawler.store.sqlite._json", "crawler.pipeline.refill"])
def test_no_memory_outside_of_a_page(lab: Lab, undisturbed: Content, where: str) -> None:
    """Where no page can be blamed, the crawl ends in order: one line, and the next run goes on."""
    assert "memory" in one_line(lab.run(starved=where), 1)
    lab.check()
    lab.finish()
    assert content(lab.db) == undisturbed


@pytest.mark.parametrize(
    "module", ["crawler.cli", "click", "crawler.config", "crawler.pipeline", "crawler.store.sqlite"]
)
def test_ctrl_c_while_the_program_is_loaded(lab: Lab, module: str) -> None:
    """However early: exit 130 without a traceback, and no file that a later crawl could not use."""
    done = lab.run(imported=module)
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == 130
    lab.finish()


@pytest.mark.parametrize("step", ["CREATE TABLE", "PRAGMA journal_mode", "SELECT id, finished_at", "WITH RECURSIVE"])
def test_ctrl_c_before_the_first_request(lab: Lab, undisturbed: Content, step: str) -> None:
    """While the file is opened: exit 130 and a hint, and the same command completes."""
    done = lab.run(kill_in=step, kill_at=1, signal=signal.SIGINT)
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == 130
    assert "the same command goes on from here" in done.stderr
    lab.check()
    lab.finish()
    assert content(lab.db) == undisturbed


def test_a_terminal_that_goes_away(lab: Lab, undisturbed: Content) -> None:
    """The window is closed: SIGHUP, and nobody left to tell; what was fetched is stored, exit 143."""
    gate = lab.site.hold("/100")
    ours, theirs = pty.openpty()
    process = lab.start(
        *lab.command, more={"stdout": theirs, "stderr": theirs, "start_new_session": True}, terminal=True
    )
    os.close(theirs)
    until(process, lambda: "/100" in lab.site.asked)
    os.close(ours)
    gate.set()
    assert process.wait(30) == 143
    lab.check()
    lab.finish()
    assert content(lab.db) == undisturbed


@pytest.mark.parametrize("stream", ["pipe", "full"])
def test_messages_that_nobody_takes_do_not_end_a_crawl(lab: Lab, undisturbed: Content, stream: str) -> None:
    """Standard error is a pipe without a reader, or a file on a full disk: the crawl completes all the same."""
    reading, writing = os.pipe()
    full = os.open("/dev/full", os.O_WRONLY)
    process = lab.start(more={"stderr": {"pipe": writing, "full": full}[stream]})
    for file in (reading, writing, full):
        os.close(file)
    assert ended(process).returncode == 0
    lab.check()
    assert content(lab.db) == undisturbed


def test_a_process_that_is_stopped_for_a_moment(lab: Lab, undisturbed: Content) -> None:
    """Ctrl-Z and fg: the crawl goes on where it stood."""
    gate = lab.site.hold("/100")
    process = lab.start()
    until(process, lambda: "/100" in lab.site.asked)
    process.send_signal(signal.SIGSTOP)
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    gate.set()
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    process.send_signal(signal.SIGCONT)
    assert ended(process).returncode == 0
    lab.check()
    assert content(lab.db) == undisturbed


def test_a_wall_clock_that_jumps(lab: Lab, undisturbed: Content) -> None:
    """A day forwards and a day back, again and again: neither delays nor deadlines nor results change."""
    done = lab.run(*lab.command, "--delay", "0.001", "--timeout", "5", clock=86_400)
    assert done.returncode == 0, done
    lab.check()
    assert content(lab.db) == undisturbed
