"""Cookie walls: servers that answer with a redirect until a cookie comes back.

No cookie is kept beyond that. Elsewhere a redirect is an edge of the crawl, and its target a URL of its own; but behind
a wall the page is at the very URL that led away. So a redirect that may be a wall is followed at once, at its own
origin, with the cookies of this one chain: if it comes back to where it began, what is there then is the reply.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from crawler.transport import FetchError
from crawler.urls import normalize, origin

if TYPE_CHECKING:
    from crawler.fetch import Response

_TEMPORARY = frozenset({302, 303, 307})  # what moved for good is no wall
_NOT_NOW = frozenset({429, 503})
_STEPS: Final = 10
_COOKIES: Final = 50  # kept of a chain at most (RFC 6265 §6.1)
_COOKIE: Final = 4096  # bytes of one
_IN_VAIN: Final = 3  # chains of an origin that led elsewhere, before none is followed there any more


class Wall:
    """Passes the walls that one fetcher meets, and learns where there are none."""

    def __init__(self) -> None:
        self._in_vain: dict[str, int] = {}

    def passed(self, first: "Response", ask: Callable[..., "Response"], through: Callable[[str], bool]) -> "Response":
        """The reply behind the wall, or the redirect itself if there is no way through, or no wall.

        `ask(url, cookies)` fetches; `through(url)` says whether it may be asked for.
        """
        url, home = first.url, origin(first.url)
        if self._in_vain.get(home, 0) >= _IN_VAIN or not _may_be_wall(first):
            return first
        reply, cookies = first, dict[str, str]()
        for _ in range(_STEPS):
            known = len(cookies)
            _collect(cookies, reply.cookies)
            target = normalize(reply.location or "", reply.url)
            if target is None or origin(target) != home or not through(target):
                break
            if target == reply.url and len(cookies) == known:  # nothing would be different
                break
            try:
                reply = ask(target, "; ".join(f"{name}={value}" for name, value in cookies.items()))
            except FetchError:
                break
            if target == url and reply.location is None:
                self._in_vain.pop(home, None)
                return reply
            if reply.status in _NOT_NOW:  # which the host says of the whole chain
                return reply
            if reply.location is None:
                break
        self._in_vain[home] = self._in_vain.get(home, 0) + 1
        return first


def _may_be_wall(reply: "Response") -> bool:
    """A redirect that sets a cookie, or names in its query where it comes from, to lead back there."""
    if reply.status not in _TEMPORARY:
        return False
    target = normalize(reply.location or "", reply.url) or ""
    named = (value for _, value in parse_qsl(target.partition("?")[2]))
    return bool(reply.cookies) or any(normalize(value, reply.url) == reply.url for value in named)


def _collect(cookies: dict[str, str], headers: Iterable[str]) -> None:
    """Adds the cookies of Set-Cookie headers. They live for one chain at one origin, so attributes do not matter."""
    for header in headers:
        name, is_pair, value = header.partition(";")[0].strip().partition("=")
        cookie = name.strip(), value.strip()
        fits = len(header) <= _COOKIE and all(part.isascii() and part.isprintable() for part in cookie)
        if is_pair and name and fits and (name in cookies or len(cookies) < _COOKIES):
            cookies[cookie[0]] = cookie[1]
