"""The story of one URL: how it was found, what became of it, and why. Read-only, and at ease beside a running crawl."""

import json
import sqlite3
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from crawler import reasons
from crawler.errors import UsageError
from crawler.robots import Rules
from crawler.shapes import repetition, without_session
from crawler.store.schema import connect_reader, failure
from crawler.urls import Scope, normalize, origin, same_site, without_tracking

_FEW: Final = 5  # links and similar pages that are named
_LONGEST_PATH: Final = 1000  # URLs; a path is as long as the depth

_URL = """
SELECT id, state, coalesce(reason, '') AS reason, coalesce(detail, '') AS detail, depth, found_at, same_as, status,
    coalesce(content_type, '') AS content_type, size, seconds, attempts, fetched_at, due_at, visits,
    changes FROM urls WHERE url = ?
"""
_PATH = f"""
WITH RECURSIVE path(id, url, found_on, step) AS (
    SELECT id, url, found_on, 0 FROM urls WHERE id = ?
    UNION ALL
    SELECT urls.id, urls.url, urls.found_on, step + 1 FROM path JOIN urls ON urls.id = path.found_on
    WHERE step < {_LONGEST_PATH})
SELECT id, url FROM path ORDER BY step
"""
# One look through all links: an index of them by target would cost every crawl.
_LINKS = """
SELECT urls.url, links.text, links.hops IS NULL, links.rel = 'redirect', links.source = links.target
FROM links JOIN urls ON urls.id = links.source WHERE links.target = ? ORDER BY urls.depth, links.id
"""
_PAGE = """
SELECT url, title, coalesce(lang, '') AS lang, coalesce(canonical, '') AS canonical, coalesce(robots, '') AS robots,
    coalesce(usage, '') AS usage, fetched_at, changed_at, similar_to,
    (SELECT count(*) FROM sections WHERE sections.page = pages.id) AS sections FROM pages WHERE id = ?
"""
_CANONICAL = """
SELECT state, coalesce(reason, '') AS reason, canonical FROM urls LEFT JOIN pages ON pages.id = urls.id
WHERE urls.url = ?
"""
_SIMILAR = "SELECT url FROM pages WHERE similar_to = :group AND id <> :mine ORDER BY id <> :group, length(url), url"


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a set of rules says of a URL, and by which rule."""

    allowed: bool | None
    """None when it is not known yet."""
    rule: str
    """In words: `exclude: /old/*`, `line 12: Disallow: /private`."""


@dataclass(frozen=True, slots=True)
class Mention:
    """A link to the URL: the page it stands on, its words, and whether it says nofollow or is not followed."""

    url: str
    text: str
    nofollow: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """The last answer for the URL; times are ISO 8601, UTC."""

    status: int | None
    content_type: str
    size: int
    """Decoded bytes."""
    seconds: float
    attempts: int
    fetched_at: str
    due_at: str | None
    visits: int
    changes: int


@dataclass(frozen=True, slots=True)
class Indexed:
    """The page of the URL in the index."""

    title: str
    sections: int
    lang: str
    canonical: str
    canonical_ignored: str
    """Why the canonical URL is not believed; empty when it is, or there is none."""
    robots: str
    """What it asks of robots: `nofollow noarchive`."""
    usage: str
    """What it says of other uses than search, which is on record and not acted on."""
    fetched_at: str
    changed_at: str | None
    similar: tuple[str, ...]
    """Up to five pages that are nearly the same, the one that stands for all first."""
    similar_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """All that an index file knows of one URL."""

    url: str
    """Normalised: the key under which it is known."""
    seen: bool
    """Whether any page links to it, or it is a seed."""
    state: str
    """`queued`, `done`, `failed`, `skipped` or `gone`; empty when it was never seen."""
    reason: str
    detail: str
    verdict: str
    """The state and the reason in words."""
    advice: str
    """What to do so that it gets into the index; empty when there is nothing to do."""
    depth: int | None
    path: tuple[str, ...]
    """From the seed to the URL."""
    found_at: str | None
    mentions: tuple[Mention, ...]
    """Up to five links to it, from the nearest pages."""
    mentioned_on: int
    """How many other pages link to it."""
    scope: Ruling
    robots: Ruling
    redirects_to: tuple[str, ...]
    """Where it leads, hop by hop."""
    redirected_from: tuple[str, ...]
    """URLs that lead to it."""
    answer: Answer | None
    """None when it was never asked for."""
    page: Indexed | None
    same_as: str | None
    """The page that has the very same body and stands for this URL."""

    def as_dict(self) -> dict[str, Any]:
        """The JSON form; a contract."""
        return asdict(self)


def why(url: str, *, db: str | Path = "crawl.db", agent: str = "crawler", strict: bool = False) -> Story:
    """The story of a URL, in whatever state it is, and also when no page ever named it.

    `agent` is the User-Agent by which robots.txt is read, `strict` whether 401 and 403 for it refuse everything. Raises
    UsageError for what is no URL, IndexFileError when there is no index to read.
    """
    known_as = normalized(url)
    connection = connect_reader(Path(db))
    connection.row_factory = sqlite3.Row
    try:
        connection.execute("BEGIN")  # one snapshot for all statements, whatever a crawl commits meanwhile
        return _story(connection, known_as, agent, strict)
    except (sqlite3.Error, UnicodeDecodeError, ValueError) as error:
        raise failure(db, error, "read") from error
    finally:
        connection.close()


def normalized(url: str) -> str:
    """The key under which a URL is known. Raises UsageError for what is no URL that could be crawled."""
    known_as = normalize(url)
    if known_as is None:
        scheme = "http" if url.startswith(("localhost", "127.")) else "https"
        whole = normalize(f"{scheme}://{url}") if url.strip() and "://" not in url and "@" not in url else None
        hint = f"did you mean {whole} ?" if whole else "give one with its scheme: https://example.org/"
        raise UsageError(f"{url[:200]!r} is not a URL that could be crawled", hint)
    return known_as


def _story(connection: sqlite3.Connection, url: str, agent: str, strict: bool) -> Story:
    run = connection.execute
    rules = _rules(connection)
    scope, robots = _scope(rules, url), _robots(connection, url, agent, strict)
    row = run(_URL, (url,)).fetchone()
    if row is None:
        return _unseen(connection, url, scope, robots)
    links = [tuple(link) for link in run(_LINKS, (row["id"],))]
    mentions = [Mention(on, text or "", bool(no)) for on, text, no, redirect, own in links if not (redirect or own)]
    same_as = run("SELECT url FROM urls WHERE id = ?", (row["same_as"],)).fetchone()
    to = _chain(connection, url)
    page = _page(connection, row["id"])
    known = {
        "depth": row["depth"],
        "url": url,
        "to": to[0] if to else "",
        "same": same_as[0] if same_as else "",
    }
    verdict = reasons.in_words(row["state"], row["reason"])
    if page and (row["state"] == "failed" or (row["state"] == "queued" and row["fetched_at"])):
        verdict += "; what was fetched before stays in the index"
    return Story(
        url=url,
        seen=True,
        state=row["state"],
        reason=row["reason"],
        detail=row["detail"] or (repetition(url) if row["reason"] == "trap-repeat" else ""),
        verdict=verdict,
        advice=reasons.advice(row["state"], row["reason"], **known),
        depth=row["depth"],
        path=_path(connection, row["id"]) if row["depth"] is not None else (),
        found_at=row["found_at"],
        mentions=tuple(dict.fromkeys(mentions))[:_FEW],
        mentioned_on=len({mention.url for mention in mentions}),
        scope=scope,
        robots=robots,
        redirects_to=to,
        redirected_from=tuple(dict.fromkeys(on for on, _, _, redirect, own in links if redirect and not own)),
        answer=_answer(row),
        page=page,
        same_as=same_as[0] if same_as else None,
    )


def _unseen(connection: sqlite3.Connection, url: str, scope: Ruling, robots: Ruling) -> Story:
    other = "http" if url.startswith("https:") else "https"
    cleaned = (without_session(url), without_tracking(url))
    near = (*cleaned, url.rstrip("/"), url + "/", f"{other}{url[url.index(':') :]}", url.partition("?")[0])
    like = connection.execute(
        "SELECT url FROM urls WHERE url IN (SELECT value FROM json_each(?)) LIMIT 1", (json.dumps(near),)
    ).fetchone()
    verdict = "never seen: no page links to it"
    advice = f"did you mean {like[0]} ?" if like else f"give it as a seed: --seed {url}"
    if like and like[0] in cleaned:
        lost = "the id of a session" if like[0] == cleaned[0] else "what tracks visitors"
        verdict, advice = f"known without {lost}, which links lose", f"crawl why {like[0]}"
    elif not like and robots.allowed is False:  # as a seed, too
        advice = reasons.advice("skipped", "robots")
    return Story(
        url=url, seen=False, state="", reason="", detail="", verdict=verdict, advice=advice, depth=None, path=(),
        found_at=None, mentions=(), mentioned_on=0, scope=scope, robots=robots, redirects_to=(), redirected_from=(),
        answer=None, page=None, same_as=None,
    )  # fmt: skip


def _path(connection: sqlite3.Connection, id_: int) -> tuple[str, ...]:
    """The URLs from the seed to this one, by who found whom; a file that was tampered with may hold a loop."""
    path: dict[int, str] = {}
    for found, url in connection.execute(_PATH, (id_,)):
        if found in path:
            break
        path[found] = url
    return tuple(reversed(path.values()))


def _chain(connection: sqlite3.Connection, url: str) -> tuple[str, ...]:
    chain: dict[str, None] = {url: None}
    while True:
        row = connection.execute("SELECT redirect_to FROM urls WHERE url = ?", (next(reversed(chain)),)).fetchone()
        if row is None or not row[0] or row[0] in chain:
            return tuple(chain)[1:]
        chain[row[0]] = None


def _answer(row: sqlite3.Row) -> Answer | None:
    if row["fetched_at"] is None:
        return None
    numbers = {name: row[name] or 0 for name in ("size", "seconds", "attempts", "visits", "changes")}
    return Answer(
        status=row["status"],
        content_type=row["content_type"],
        fetched_at=row["fetched_at"],
        due_at=row["due_at"],
        **numbers,
    )


def _page(connection: sqlite3.Connection, id_: int) -> Indexed | None:
    row = connection.execute(_PAGE, (id_,)).fetchone()
    if row is None:
        return None
    similar = [one[0] for one in connection.execute(_SIMILAR, {"group": row["similar_to"], "mine": id_})]
    names = ("title", "sections", "lang", "canonical", "robots", "usage", "fetched_at", "changed_at")
    return Indexed(
        **{name: row[name] for name in names},
        canonical_ignored=_canonical_ignored(connection, row["url"], row["canonical"]),
        similar=tuple(similar[:_FEW]),
        similar_count=len(similar),
    )


def _canonical_ignored(connection: sqlite3.Connection, url: str, canonical: str) -> str:
    """Why the URL that a page gives as its canonical one is not believed."""
    if not canonical or canonical == url:
        return ""
    if not same_site(canonical, url):
        return "it is at another site"
    named = [url]
    while canonical not in named:
        named.append(canonical)
        row = connection.execute(_CANONICAL, (canonical,)).fetchone()
        if row is None:
            return ""
        if row["state"] != "done" or row["reason"] == "redirect":
            return f"{reasons.in_words(row['state'], row['reason'])}"
        canonical = row["canonical"] or canonical
    return "they name each other in a circle" if canonical == url else ""


def _rules(connection: sqlite3.Connection) -> dict[str, Any] | None:
    row = connection.execute("SELECT rules FROM crawls ORDER BY id DESC LIMIT 1").fetchone()
    return json.loads(row[0]) if row else None


def _scope(rules: dict[str, Any] | None, url: str) -> Ruling:
    """What the rules of the last crawl say, by asking them about one rule at a time."""
    if rules is None:
        return Ruling(None, "no crawl has been started")
    kind, seeds = rules["scope"], tuple(rules["seeds"])
    include, exclude = tuple(rules["include"]), tuple(rules["exclude"])
    if url in seeds:
        return Ruling(True, "it is a seed")
    verdict = Scope(kind, seeds, include, exclude).verdict(url)
    if verdict == "scope":
        kinds = {"host": "on no seed's host", "prefix": "in no seed's folder", "domain": "in no seed's domain"}
        return Ruling(False, f"{kind}: {kinds.get(kind, 'outside')} ({_listed(seeds)})")
    if verdict == "include":
        return Ruling(False, f"include: matches none of {_listed(include)}")
    if verdict == "exclude":
        glob = next(glob for glob in exclude if Scope("any", (), (), (glob,)).verdict(url))
        return Ruling(False, f"exclude: {glob}")
    seed = next((seed for seed in seeds if Scope(kind, (seed,)).verdict(url) is None), "")
    kinds = {"host": "the same host as", "prefix": "in the folder of", "domain": "the same domain as"}
    rule = f"{kind}: {kinds[kind]} seed {seed}" if kind in kinds else f"{kind}: everything belongs to it"
    glob = next((glob for glob in include if Scope("any", (), (glob,)).verdict(url) is None), "")
    return Ruling(True, rule + (f"; include: {glob}" if glob else ""))


def _listed(some: tuple[str, ...]) -> str:
    return ", ".join(some[:3]) + (f" and {len(some) - 3} more" if len(some) > 3 else "")


def _robots(connection: sqlite3.Connection, url: str, agent: str, strict: bool) -> Ruling:
    row = connection.execute(
        "SELECT robots_status, robots_detail, robots_txt, robots_at FROM hosts WHERE origin = ?", (origin(url),)
    ).fetchone()
    if row is None or row["robots_at"] is None:
        return Ruling(None, "not asked for yet")
    status, detail, text, at = row
    if status is None and detail == "not asked for":
        return Ruling(True, "not asked for, by obey_robots = false")
    rules = Rules.from_reply(status, text or "", detail or "", strict=strict)
    allowed, line = rules.allows(agent, url), rules.line(agent, url)
    if line is not None:
        rule = f"line {line.number}: {line.text}"
    elif rules.reason:
        rule = rules.reason
    else:
        rule = "no line matches" if 200 <= status < 300 else f"there is none (HTTP {status})"
    notes = f"; {detail}" if detail and not rules.reason else ""
    return Ruling(allowed, f"{rule} (as of {at}{notes})")
