"""What is known of hosts beyond their URLs: what they answered for robots.txt, and how they bear being asked."""

import math
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Final

from crawler.pace import MAX_RETRY_AFTER, MAX_SLOW
from crawler.store import HostPace, RobotsReply
from crawler.urls import host

_ROBOTS: Final = """
SELECT origin, robots_status, coalesce(robots_txt, ''), coalesce(robots_detail, ''), robots_at, coalesce(usage, '')
FROM hosts WHERE origin = ? AND robots_at IS NOT NULL
"""
_PACES: Final = """
SELECT origin, coalesce(delay, 0), rests_until FROM hosts WHERE delay IS NOT NULL OR rests_until > ?
"""

Transaction = Callable[[], AbstractContextManager[Callable[..., sqlite3.Cursor]]]


class SqliteHosts:
    """The table `hosts` of a file; `transaction` is the store's."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def robots(self, origin: str) -> RobotsReply | None:
        """What an origin answered for robots.txt; None when it was never asked."""
        with self._transaction() as run:
            row = run(_ROBOTS, (origin,)).fetchone()
        if row is None or not isinstance(row[1], int | None) or not all(isinstance(text, str) for text in row[2:]):
            return None  # whoever wrote it, it was not us
        return RobotsReply(*row)

    def paces(self) -> dict[str, HostPace]:
        """The hosts that have to be asked less often than others, by name: a host is as slow as its slowest origin."""
        now = datetime.now(UTC)
        with self._transaction() as run:
            rows = run(_PACES, (_written(now),)).fetchall()
        paces: dict[str, HostPace] = {}
        for origin, slow, until in rows:
            name = host(origin + "/")
            known = paces.get(name, HostPace(origin, 0.0, 0.0))
            bearable = min(max(slow, 0.0), MAX_SLOW) if isinstance(slow, int | float) else 0.0
            paces[name] = HostPace(origin, max(known.slow, bearable), max(known.rest, _left(until, now)))
        return paces


def written(paces: Sequence[HostPace]) -> list[tuple[str, float, str | None]]:
    """Paces as the rows of `hosts` hold them: a time of day outlives a run, seconds from now do not."""
    now = datetime.now(UTC)
    until = (_written(now + timedelta(seconds=math.ceil(pace.rest) + 1)) if pace.rest else None for pace in paces)
    return [(pace.origin, round(pace.slow, 3), time) for pace, time in zip(paces, until, strict=True)]


def _written(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def _left(until: str | None, now: datetime) -> float:
    """Seconds until a time; no more than was ever asked for, whatever has become of the clock meanwhile."""
    try:
        left = (datetime.fromisoformat(until) - now).total_seconds() if until else 0.0
    except (ValueError, TypeError):
        return 0.0
    return left if 0 < left <= MAX_RETRY_AFTER + 1 else 0.0
