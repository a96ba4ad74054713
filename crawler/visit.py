"""What a fetcher does with one task: fetch, parse, judge the outlinks. The result is an `Outcome` for the queue."""

import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, NamedTuple

from crawler import fields
from crawler.addresses import Guard
from crawler.config import Config
from crawler.fetch import Fetcher, Response
from crawler.fingerprint import digest, sketch
from crawler.frontier import Task
from crawler.page import Page, ParseError, directives, parse
from crawler.robots import MAX_BYTES, MAX_REDIRECTS, Rules
from crawler.sitemap import Sitemap, parse_sitemap
from crawler.store import Edge, Outcome, RobotsReply, State
from crawler.transport import FetchError
from crawler.urls import Scope, normalize, origin, without_tracking

MAX_REDIRECT_CHAIN: Final = 10
MAX_RETRY_AFTER: Final = 3600.0  # seconds; a longer Retry-After is cut to this within a run
_TRY_AGAIN = frozenset({429, 500, 502, 503, 504})


class Visited(NamedTuple):
    """The outcome of a visit, and in how many seconds to try again if that may help (None: it may not)."""

    outcome: Outcome
    again_in: float | None = None
    requested: bool = True
    """Whether the host was asked for anything; False when its robots.txt refused that."""


class Visitor:
    """Visits URLs one after another. Belongs to the thread that made it, but for `abort`."""

    def __init__(self, config: Config, scope: Scope, guard: Guard) -> None:
        self._config = config
        self._scope = scope
        self._fetcher = Fetcher(
            user_agent=config.user_agent,
            timeout=config.timeout,
            max_size=config.max_size,
            guard=guard,
            headers=dict(config.headers),
            header_origins=frozenset(map(origin, config.seeds)),
        )

    def robots(self, task: Task) -> tuple[Rules, RobotsReply, float | None]:
        """The rules in a robots.txt, what came for the record, and in how many seconds to try again. Never raises."""
        url, home = task.url.url, origin(task.url.url)
        if not self._config.obey_robots:
            return Rules.from_reply(404), RobotsReply(home, None, "", "not asked for", _now()), None
        again = None
        try:
            reply = self._get_followed(url, MAX_BYTES)
            rules = Rules.from_reply(reply.status, reply.body)
            record = RobotsReply(home, reply.status, _text(reply.body), rules.reason, _now())
            if rules.reason:
                again = _backoff(task.attempts)
        except FetchError as error:
            rules = Rules.from_reply(None, detail=error.detail, code=error.reason)
            record = RobotsReply(home, None, "", str(error), _now())
            again = _backoff(task.attempts) if error.transient else None
        except Exception as error:  # noqa: BLE001 - rule 4: the guard is round the item
            rules = Rules.from_reply(None, detail=f"internal error: {error!r}")
            record = RobotsReply(home, None, "", rules.reason, _now())
        return rules, record, again

    def sitemap(self, url: str) -> Sitemap:
        """What a sitemap says; nothing if it cannot be had. Never raises."""
        try:
            normal = normalize(url)
            reply = self._get_followed(normal, self._config.max_size) if normal else None
        except FetchError:
            return Sitemap()
        if reply is None or reply.status != 200:
            return Sitemap()
        return parse_sitemap(reply.body, reply.url, self._config.max_size)

    def _get_followed(self, url: str, max_size: int) -> Response:
        """The reply for a robots.txt or a sitemap, redirects followed, across hosts too (RFC 9309 §2.3.1.2).

        Raises FetchError.
        """
        for _ in range(MAX_REDIRECTS + 1):
            reply = self._fetcher.get(url, max_size=max_size, any_type=True)
            if reply.location is None:
                return reply
            target = normalize(reply.location, url)
            if target is None:
                raise FetchError("bad-redirect", f"{url} redirects to no http URL")
            url = target
        raise FetchError("redirects", f"{url} redirects, and so on, more than {MAX_REDIRECTS} times")

    def visit(self, task: Task) -> Visited:
        """Fetches a URL if its host's rules allow it. Rule 4: whatever goes wrong costs this one URL; never raises."""
        assert task.rules is not None
        try:
            if not task.rules.allows(self._config.user_agent, task.url.url):
                if task.rules.reason:
                    return Visited(
                        _outcome(task, _failed(task.rules.code), task.rules.code, task.rules.reason), requested=False
                    )
                return Visited(_outcome(task, "skipped", "robots"), requested=False)
            validators = task.url.etag, task.url.last_modified
            return self._judged(task, self._fetcher.get(task.url.url, validators=validators), any(validators))
        except FetchError as error:
            again = _backoff(task.attempts) if error.transient else None
            return Visited(_outcome(task, _failed(error.reason), error.reason, error.detail), again)
        except ParseError as error:
            return Visited(_outcome(task, "failed", "parse-error", str(error)))
        except Exception as error:  # noqa: BLE001
            return Visited(_outcome(task, "failed", "internal-error", repr(error)[:500]))

    def _judged(self, task: Task, reply: Response, conditional: bool) -> Visited:
        if reply.status == 304 and conditional:
            return Visited(_outcome(task, "done", reply=reply, unchanged=True))
        if reply.location is not None:
            return Visited(self._redirected(task, reply))
        if not 200 <= reply.status < 300:
            again = _retry_after(reply, task.attempts) if reply.status in _TRY_AGAIN else None
            return Visited(_outcome(task, "failed", f"http-{reply.status}", reply=reply), again)
        if reply.kind == "other":
            return Visited(_outcome(task, "skipped", "content-type", reply.content_type[:200], reply))
        if not reply.body.strip():
            return Visited(_outcome(task, "skipped", "empty", reply=reply))
        return Visited(self._parsed(task, reply))

    def _parsed(self, task: Task, reply: Response) -> Outcome:
        url = task.url.url
        content_type = reply.content_type if reply.kind == "text" else reply.content_type or "text/html"
        if reply.kind == "html" and content_type.startswith("text/plain"):
            content_type = "text/html"
        page = parse(reply.body, url, content_type, agent=self._config.product)
        if self._config.drop_tracking:
            links = (link._replace(url=without_tracking(link.url)) for link in page.links)
            page = page._replace(links=tuple(dict.fromkeys(links)))
        asked = page.robots | directives(reply.headers.get("X-Robots-Tag", ""))
        edges = tuple(self._edges(page, follow="nofollow" not in asked))
        if "noindex" in asked:
            return _outcome(task, "skipped", "noindex", reply=reply, edges=edges)
        if not page.sections:
            return _outcome(task, "skipped", "empty", "no text", reply, edges=edges)
        picked = self._config.fields_of(url)
        values = fields.extract(reply.body, page.encoding, picked) if picked and reply.kind == "html" else None
        reason = "cut-at-max-size" if reply.truncated else "cut-by-parser" if page.cut else ""
        outcome = _outcome(task, "done", reason, reply=reply, edges=edges, page=page, values=values)
        text = page.text
        return replace(outcome, body_hash=digest(reply.body), text_hash=digest(text.encode()), sketch=sketch(text))

    def _edges(self, page: Page, *, follow: bool) -> Iterator[Edge]:
        """The outlinks with a verdict each; a URL is judged once, however often the page links to it.

        The canonical URL is another name of the page, so it adds no hop; one at another origin is not believed.
        """
        verdicts: dict[str, str | None] = {}
        if page.canonical and page.canonical != page.url and origin(page.canonical) == origin(page.url):
            yield Edge(page.canonical, self._scope.verdict(page.canonical), 0, rel="canonical")
        for url, fragment, text, rel in page.links:
            if url not in verdicts:
                verdicts[url] = self._scope.verdict(url)
            if follow and "nofollow" not in rel:
                yield Edge(url, verdicts[url], 1, fragment, text, rel)
            else:
                yield Edge(url, verdicts[url] or "nofollow", None, fragment, text, rel)

    def _redirected(self, task: Task, reply: Response) -> Outcome:
        """A redirect is an edge that adds no hop: its target goes round the ring as any URL, scope and robots too."""
        target = normalize(reply.location or "", task.url.url) if reply.location else None
        if target is None or target == task.url.url:
            detail = "it redirects to itself" if target else f"Location {(reply.location or '')[:200]!r} is no http URL"
            return _outcome(task, "failed", "bad-redirect", detail, reply)
        refused = self._scope.verdict(target)
        edge = Edge(target, refused, 0, rel="redirect")
        if task.url.redirects >= MAX_REDIRECT_CHAIN:
            edge = Edge(target, refused or "redirects", None, rel="redirect")
        return _outcome(task, "done", "redirect", reply=reply, edges=(edge,))

    def abort(self) -> None:
        """Ends the request under way, from another thread: its reads fail at once."""
        self._fetcher.abort()

    def close(self) -> None:
        self._fetcher.close()


def _outcome(
    task: Task,
    state: State,
    reason: str = "",
    detail: str = "",
    reply: Response | None = None,
    *,
    edges: tuple[Edge, ...] = (),
    page: Page | None = None,
    values: dict[str, fields.Value] | None = None,
    unchanged: bool = False,
) -> Outcome:
    header: Mapping[str, str] = reply.headers if reply else {}
    return Outcome(
        id=task.url.id,
        url=task.url.url,
        redirects=task.url.redirects,
        attempts=task.attempts + 1,
        state=state,
        reason=reason,
        detail=detail[:500],
        fetched_at=_now(),
        status=reply.status if reply else None,
        size=len(reply.body) if reply else 0,
        seconds=reply.seconds if reply else 0.0,
        content_type=header.get("Content-Type", "")[:200],
        etag=header.get("ETag", "")[:500],
        last_modified=header.get("Last-Modified", "")[:100],
        unchanged=unchanged,
        page=page,
        fields=values,
        edges=edges,
    )


def _failed(reason: str) -> State:
    """A private address was not tried, by a rule; everything else was, in vain."""
    return "skipped" if reason == "private-address" else "failed"


def _backoff(attempts: int) -> float:
    """Seconds to wait before the next try: doubling, with jitter so that hosts are not met by a chorus."""
    return 0.5 * 2.0**attempts * random.uniform(0.75, 1.25)  # noqa: S311 - no secret


def _retry_after(reply: Response, attempts: int) -> float:
    """Seconds that Retry-After asks for, as a number or as a date (RFC 9110 §10.2.3), or our own backoff."""
    written = reply.headers.get("Retry-After", "").strip()
    try:
        is_date = not written.isdigit()
        asked = parsedate_to_datetime(written).timestamp() - time.time() if is_date else float(written)
    except (ValueError, TypeError, OverflowError):
        return _backoff(attempts)
    return min(asked, MAX_RETRY_AFTER) if asked > 0 else _backoff(attempts)


def _text(body: bytes) -> str:
    return body[:MAX_BYTES].decode("utf-8", "replace").replace("\0", " ")


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
