"""The threads of a crawl, which say themselves when they are over."""

import threading
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

from crawler.errors import CrawlerError


class Worker(threading.Thread):
    """A thread whose end can be waited for by who may be interrupted.

    Until Python 3.13, a KeyboardInterrupt in `Thread.join` marks a thread that still runs as one that has ended: `join`
    returns at once from then on, and `is_alive` is not true. So an event of its own tells when it is over.
    """

    def __init__(self, name: str, work: Callable[[], None], fail: Callable[[BaseException], None]) -> None:
        """`fail` is told what ends the work, in this thread: it has nobody to raise to."""
        super().__init__(name=f"crawler-{name}", daemon=True)
        self._work, self._fail = work, fail
        self.over = threading.Event()

    def run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001 - handed on
            self._fail(error)
        finally:
            self.over.set()

    def start(self) -> None:
        """Raises CrawlerError when the system has no more to give."""
        try:
            super().start()
        except RuntimeError as error:
            raise CrawlerError(
                f"no thread can be started: {error}", "give fewer --threads, or raise the system's limit (ulimit -u)"
            ) from error


def join(
    workers: Iterable[Worker], stop: AbstractContextManager[object], tick: Callable[[], None], seconds: float
) -> None:
    """Waits until they are over, and calls `tick` every so many seconds. Interrupts are for `stop` to take."""
    for worker in workers:
        is_over = False
        while not is_over:
            with stop:
                is_over = worker.over.wait(seconds)
                tick()
        with stop:
            worker.join()  # it has nothing left to do
