"""What a fetcher does with one task: fetch, parse, judge the outlinks. The result is an `Outcome` for the queue."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NamedTuple

from crawler import fields
from crawler.addresses import Guard
from crawler.config import Config
from crawler.fetch import Fetcher, Response
from crawler.fingerprint import digest, sketch
from crawler.frontier import Task
from crawler.pace import Answer
from crawler.page import Page, ParseError, directives, parse
from crawler.permit import Asked, answer_to, ask
from crawler.robots import MAX_REDIRECTS
from crawler.sitemap import Sitemap, parse_sitemap
from crawler.store import Edge, Outcome, RobotsReply, State
from crawler.transport import FetchError
from crawler.urls import Scope, normalize, origin

MAX_REDIRECT_CHAIN: Final = 10


class Visited(NamedTuple):
    """The outcome of a visit, and how the host bore it: None when it was not asked, as its robots.txt refused that."""

    outcome: Outcome
    answer: Answer | None


class Visitor:
    """Visits URLs one after another. Belongs to the thread that made it, but for `abort`."""

    def __init__(self, config: Config, scope: Scope, guard: Guard) -> None:
        self._config = config
        self._verdict = lru_cache(maxsize=8192)(scope.verdict)  # most pages of a site link to the same places
        self._fetcher = Fetcher(
            user_agent=config.user_agent,
            timeout=config.timeout,
            max_size=config.max_size,
            guard=guard,
            headers=dict(config.headers),
            header_origins=frozenset(map(origin, config.seeds)),
        )

    def robots(self, home: str, known: RobotsReply | None = None) -> Asked:
        """What an origin permits; `known` is what it said before. Never raises."""
        return ask(self._get_followed, home, self._config, known)

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

        After too many it is the last redirect. Raises FetchError.
        """
        reply = self._fetcher.get(url, max_size=max_size, any_type=True)
        for _ in range(MAX_REDIRECTS):
            if reply.location is None:
                break
            target = normalize(reply.location, url)
            if target is None:
                raise FetchError("bad-redirect", f"{url} redirects to no http URL")
            url = target
            reply = self._fetcher.get(url, max_size=max_size, any_type=True)
        return reply

    def visit(self, task: Task) -> Visited:
        """Fetches a URL if its host's rules allow it. Rule 4: whatever goes wrong costs this one URL; never raises."""
        rules, url = task.rules, task.url.url
        assert rules is not None
        try:
            if not rules.allows(self._config.user_agent, url):
                return Visited(_refused(task, rules.code or "robots", rules.reason), None)
            if self._config.obey_usage and rules.refuses_search(self._config.user_agent, url):
                return Visited(_refused(task, "usage", ""), None)
            validators = task.url.etag, task.url.last_modified
            reply = self._fetcher.get(url, validators=validators)
        except FetchError as error:
            outcome = _outcome(task, _failed(error.reason), error.reason, error.detail)
            return Visited(outcome, Answer(trouble=error.reason if error.transient else ""))
        except Exception as error:  # noqa: BLE001
            return Visited(_outcome(task, "failed", "internal-error", repr(error)[:500]), Answer())
        answer = answer_to(reply)
        try:
            return Visited(self._judged(task, reply, any(validators)), answer)
        except ParseError as error:
            return Visited(_outcome(task, "failed", "parse-error", str(error)), answer)
        except Exception as error:  # noqa: BLE001
            return Visited(_outcome(task, "failed", "internal-error", repr(error)[:500]), answer)

    def _judged(self, task: Task, reply: Response, conditional: bool) -> Outcome:
        if reply.status == 304 and conditional:
            return _outcome(task, "done", reply=reply, unchanged=True)
        if reply.location is not None:
            return self._redirected(task, reply)
        if not 200 <= reply.status < 300:
            return _outcome(task, "failed", f"http-{reply.status}", reply=reply)
        if reply.kind == "other":
            return _outcome(task, "skipped", "content-type", reply.content_type[:200], reply)
        if not reply.body.strip():
            return _outcome(task, "skipped", "empty", reply=reply)
        return self._parsed(task, reply)

    def _parsed(self, task: Task, reply: Response) -> Outcome:
        url = task.url.url
        content_type = reply.content_type if reply.kind == "text" else reply.content_type or "text/html"
        if reply.kind == "html" and content_type.startswith("text/plain"):
            content_type = "text/html"
        page = parse(reply.body, url, content_type, agent=self._config.product)
        asked = page.robots | directives(reply.headers.get("X-Robots-Tag", ""))
        edges = tuple(self._edges(page, follow="nofollow" not in asked))
        if "noindex" in asked:
            return _outcome(task, "skipped", "noindex", reply=reply, edges=edges)
        if not page.sections:
            return _outcome(task, "skipped", "empty", "no text", reply, edges=edges)
        picked = self._config.fields_of(url)
        values = fields.extract(reply.body, page.encoding, picked) if picked and reply.kind == "html" else None
        reason = "cut-at-max-size" if reply.truncated else ""
        outcome = _outcome(task, "done", reason, reply=reply, edges=edges, page=page, values=values)
        text = page.text
        return replace(outcome, body_hash=digest(reply.body), text_hash=digest(text.encode()), sketch=sketch(text))

    def _edges(self, page: Page, *, follow: bool) -> Iterator[Edge]:
        """The outlinks with a verdict each.

        The canonical URL is another name of the page, so it adds no hop; one at another origin is not believed.
        """
        if page.canonical and page.canonical != page.url and origin(page.canonical) == origin(page.url):
            yield Edge(page.canonical, self._verdict(page.canonical), 0, rel="canonical")
        for url, fragment, text, rel in page.links:
            refused = self._verdict(url)
            if follow and "nofollow" not in rel:
                yield Edge(url, refused, 1, fragment, text, rel)
            else:
                yield Edge(url, refused or "nofollow", None, fragment, text, rel)

    def _redirected(self, task: Task, reply: Response) -> Outcome:
        """A redirect is an edge that adds no hop: its target goes round the ring as any URL, scope and robots too."""
        target = normalize(reply.location or "", task.url.url) if reply.location else None
        if target is None or target == task.url.url:
            detail = "it redirects to itself" if target else f"Location {(reply.location or '')[:200]!r} is no http URL"
            return _outcome(task, "failed", "bad-redirect", detail, reply)
        refused = self._verdict(target)
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


def _refused(task: Task, code: str, reason: str) -> Outcome:
    return _outcome(task, _failed(code), code, reason)


def _failed(reason: str) -> State:
    """What robots.txt refuses and a private address were not tried, by a rule; everything else was, in vain."""
    return "skipped" if reason in ("private-address", "robots", "usage") else "failed"


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
