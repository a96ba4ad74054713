"""Host names to addresses, for all threads of the process.

`getaddrinfo` takes no deadline and cannot be interrupted. So each look-up runs in a daemon thread of its own, and who
asked waits for it no longer than they like; it may go on without them. What was found is remembered for a minute, so
that four fetchers on one host look it up once; a failure is not remembered: the next who asks, asks anew.
"""

import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final

from crawler.addresses import is_address

REMEMBERED_FOR: Final = 60.0  # seconds; getaddrinfo does not tell how long an answer holds
_REMEMBERED: Final = 1024  # names
_AT_ONCE: Final = 256  # look-ups under way; stalled ones, in the main

Address = tuple[socket.AddressFamily, tuple[Any, ...]]
"""A family and a socket address of it, whose port means nothing."""
Answer = Future[tuple[Address, ...]]


class Resolver:
    """Looks names up, each once at a time, however many ask for it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._answers: dict[str, tuple[Answer, float]] = {}  # by name; until when it holds
        self._under_way = 0

    def look_up(self, name: str) -> Answer:
        """The addresses of a host name, now or later. The answer may be a `socket.gaierror` or a UnicodeError."""
        if is_address(name):
            answer = Answer()
            answer.set_result(_addresses(name))
            return answer
        with self._lock:
            known, until = self._answers.get(name, (None, 0.0))
            if known is not None and self._clock() < until:
                return known
            answer = Answer()
            if self._under_way >= _AT_ONCE:
                answer.set_exception(socket.gaierror(socket.EAI_AGAIN, "too many look-ups are under way"))
                return answer
            self._under_way += 1
            if len(self._answers) >= _REMEMBERED:
                del self._answers[next(iter(self._answers))]
            self._answers[name] = answer, float("inf")
        try:
            threading.Thread(target=self._ask, args=(name, answer), name=f"look-up {name}", daemon=True).start()
        except RuntimeError as error:  # no more threads
            self._settle(name, answer, socket.gaierror(socket.EAI_AGAIN, str(error)))
        return answer

    def forget(self, name: str) -> None:
        """For an address that does not answer: perhaps the host has moved."""
        with self._lock:
            self._answers.pop(name, None)

    def _ask(self, name: str, answer: Answer) -> None:
        try:
            found = _addresses(name)
        except Exception as error:  # noqa: BLE001 - handed to those who wait
            self._settle(name, answer, error)
        else:
            self._settle(name, answer, found)

    def _settle(self, name: str, answer: Answer, found: tuple[Address, ...] | Exception) -> None:
        with self._lock:
            self._under_way -= 1
            if self._answers.get(name, (None,))[0] is answer:
                self._answers[name] = answer, self._clock() + REMEMBERED_FOR
                if isinstance(found, Exception):
                    del self._answers[name]
        if isinstance(found, Exception):
            answer.set_exception(found)
        else:
            answer.set_result(found)


def _addresses(name: str) -> tuple[Address, ...]:
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return tuple((family, address) for family, _, _, _, address in found)


RESOLVER: Final = Resolver()
