"""The store in one SQLite file: frontier, history, pages, links and full text.

Every write is ONE statement over a JSON array for each table of a batch, never a statement a row: each call into
SQLite gives up the GIL, and a thread that gives it up among busy ones waits a switch interval to get it back. For
the same reason new URLs come back as one row of JSON rather than by RETURNING, which is a call a row.
"""

import fcntl
import json
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from crawler.errors import CrawlerError, IndexFileError
from crawler.store import Edge, Handed, Outcome, Queued, RobotsReply, Totals, schema
from crawler.urls import Scope, host

# Whether a URL is wanted again can change with the path that leads to it: while it has no depth (only links that are
# not followed lead to it) or is too deep. All other states stand.
_OPEN = "(urls.depth IS NULL OR urls.reason = 'depth')"
_TRANSIENT = (
    "connect-error", "timeout", "dns-error", "truncated", "robots-unreachable", "robots",
    "http-429", "http-500", "http-502", "http-503", "http-504",
)  # fmt: skip
_GONE = ("http-404", "http-410")

# Kept for the length of a connection; the triggers note what the transaction makes available or brings nearer.
_SCRATCH = """
CREATE TEMP TABLE offered(id INTEGER PRIMARY KEY);
CREATE TEMP TABLE nearer(id INTEGER PRIMARY KEY);
CREATE TEMP TABLE wave(id INTEGER PRIMARY KEY);
CREATE TEMP TRIGGER offered_new AFTER INSERT ON main.urls WHEN new.state = 'queued'
    BEGIN INSERT OR IGNORE INTO offered VALUES (new.id); END;
CREATE TEMP TRIGGER offered_again AFTER UPDATE OF state ON main.urls WHEN new.state = 'queued' AND old.state <> 'queued'
    BEGIN INSERT OR IGNORE INTO offered VALUES (new.id); END;
CREATE TEMP TRIGGER brought_nearer AFTER UPDATE OF depth ON main.urls WHEN new.depth < old.depth
    BEGIN INSERT OR IGNORE INTO nearer VALUES (new.id); END;
"""

_OUTCOMES = """
UPDATE urls SET state = iif(o.gone AND EXISTS (SELECT 1 FROM pages WHERE pages.id = o.id), 'gone', o.state), reason = o.reason, detail = o.detail, status = o.status, attempts = o.attempts,
    fetched_at = o.fetched_at, seconds = o.seconds, size = o.size, content_type = o.content_type, etag = o.etag,
    last_modified = o.last_modified, redirect_to = o.redirect_to
FROM (SELECT value->>0 AS id, value->>1 AS state, value->>2 AS reason, value->>3 AS detail, value->>4 AS status,
        value->>5 AS attempts, value->>6 AS fetched_at, value->>7 AS seconds, value->>8 AS size,
        value->>9 AS content_type, value->>10 AS etag, value->>11 AS last_modified, value->>12 AS redirect_to, value->>13 AS gone
    FROM json_each(?)) AS o
WHERE urls.id = o.id
"""

_PAGES = """
INSERT INTO pages(id, url, title, description, lang, site, fetched_at, canonical, encoding, robots, fields)
SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, value->>8, value->>9,
    value->>10 FROM json_each(?)
"""

_SECTIONS = """
INSERT INTO sections(page, "order", level, anchor, title, heading, ids, terms, links, text)
SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, '', value->>8
FROM json_each(?)
"""

# A target's depth is its source's in the file plus the hops of the edge. It is read here, not where the source was
# fetched: the source may have been found nearer to a seed meanwhile.
_TARGETS = f"""
INSERT INTO urls(url, host, depth, state, reason, redirects, found_on, found_at)
SELECT t.url, t.host, t.depth, CASE WHEN t.refused IS NOT NULL OR t.depth > :deepest THEN 'skipped' ELSE 'queued' END,
    coalesce(t.refused, CASE WHEN t.depth > :deepest THEN 'depth' END, ''), t.redirects, t.source, :now
FROM (SELECT value->>1 AS url, value->>2 AS host, value->>3 AS refused, value->>5 AS redirects, source.id AS source,
        source.depth + (value->>4) AS depth
    FROM json_each(:targets) JOIN urls AS source ON source.id = value->>0) AS t WHERE true
ON CONFLICT(url) DO UPDATE SET depth = excluded.depth, found_on = excluded.found_on, redirects = excluded.redirects,
    reason = CASE WHEN {_OPEN} THEN excluded.reason ELSE urls.reason END,
    state = CASE WHEN {_OPEN} THEN excluded.state ELSE urls.state END
WHERE excluded.depth < urls.depth OR (urls.depth IS NULL AND excluded.depth IS NOT NULL)
"""  # noqa: S608 (no values in it but a constant of this module)

_LINKS = """
INSERT INTO links(source, target, fragment, text, rel, hops)
SELECT value->>0, urls.id, value->>2, value->>3, value->>4, value->>5
FROM json_each(?) JOIN urls ON urls.url = value->>1
"""

# One step of a breadth-first relaxation: what the URLs of the wave link to is at most their depth plus the hops.
_RELAX = f"""
UPDATE urls SET depth = n.depth, found_on = n.source,
    state = CASE WHEN {_OPEN} AND n.depth <= :deepest THEN 'queued' ELSE urls.state END,
    reason = CASE WHEN {_OPEN} AND n.depth <= :deepest THEN '' ELSE urls.reason END
FROM (SELECT links.target, min(source.depth + links.hops) AS depth, source.id AS source
    FROM temp.wave JOIN urls AS source ON source.id = wave.id
    JOIN links ON links.source = source.id AND links.hops IS NOT NULL GROUP BY links.target) AS n
WHERE urls.id = n.target AND n.depth < urls.depth
"""  # noqa: S608

_HAND_BACK = """
SELECT json_group_array(json_array(id, url, depth, redirects)), (SELECT count(*) FROM temp.offered)
FROM (SELECT urls.* FROM temp.offered JOIN urls USING (id) ORDER BY urls.depth, urls.id LIMIT ?)
"""

# A host at a time, by the index of what waits, so that one host with a million URLs does not hide the others.
_WAITING = """
WITH RECURSIVE waiting(host) AS (
    SELECT min(host) FROM urls WHERE state = 'queued'
    UNION ALL
    SELECT (SELECT min(host) FROM urls WHERE state = 'queued' AND host > waiting.host) FROM waiting
    WHERE waiting.host IS NOT NULL)
SELECT json_group_array(json_array(id, url, depth, redirects)) FROM (
    SELECT urls.id, urls.url, urls.depth, urls.redirects FROM waiting JOIN urls ON urls.id IN (
        SELECT id FROM urls AS mine WHERE mine.state = 'queued' AND mine.host = waiting.host
            AND mine.id NOT IN (SELECT value FROM json_each(:held)) ORDER BY mine.depth, mine.id LIMIT :share)
    WHERE waiting.host NOT IN (SELECT value FROM json_each(:full))
    ORDER BY urls.depth, urls.id LIMIT :room)
"""

# Texts of the links that point to each section, where they call it something that it does not call itself. Texts that
# point to more than ten pages ("next", "top") say nothing.
_PLACES = """
CREATE TEMP TABLE places AS
SELECT sections.page, json_each.value AS fragment, min(sections.id) AS section
FROM sections, json_each('["' || replace(replace(replace(ids, '\\', '\\\\'), '"', '\\"'), ' ', '","') || '"]')
GROUP BY 1, 2
UNION ALL SELECT page, '', id FROM sections WHERE "order" = 0 AND ids <> ''
"""
_LINK_TEXTS = """
WITH said AS (SELECT DISTINCT target, fragment, text FROM links WHERE text <> '' AND source <> target),
telling AS (SELECT text FROM said GROUP BY text HAVING count(DISTINCT target) <= 10),
pointed AS (SELECT places.section, group_concat(said.text, ' · ') AS texts
    FROM said JOIN telling USING (text)
    JOIN temp.places ON places.page = said.target AND places.fragment = said.fragment
    JOIN sections ON sections.id = places.section
    WHERE instr(lower(sections.heading || ' ' || sections.ids || ' ' || sections.title), lower(rtrim(said.text, '()'))) = 0
    GROUP BY places.section)
UPDATE sections SET links = pointed.texts FROM pointed WHERE sections.id = pointed.section AND links <> pointed.texts
"""


class SqliteStore:
    """The store in a file that this process owns. One writing connection, used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        schema.check(path)  # before the lock file beside it is made
        self._path = path
        self._lock = threading.Lock()
        self._owner = _own(path)
        try:
            self._connection = schema.connect_writer(path)
            self._connection.executescript(_SCRATCH)
        except BaseException:
            self._owner.close()
            raise
        self._deepest = 0
        self._crawl = 0

    def begin(self, rules: dict[str, Any], seeds: Sequence[str], *, fresh: bool = False) -> bool:
        """Starts a crawl by the rules, or goes on with the last one; returns whether it goes on.

        `rules` are those that verdicts depend on: seeds, depth, scope, include, exclude. If they are not those of
        the last crawl, every URL that was not fetched is judged anew. A crawl that starts after a finished one
        tries again what failed for a passing reason. `fresh` fetches everything again: what is indexed stays until
        it is replaced, and goes at the end of the crawl if it was not reached again.
        """
        written = json.dumps(rules | {"fresh": fresh}, sort_keys=True)
        self._deepest = int(rules["depth"])
        with self._transaction() as run:
            last = run("SELECT id, finished_at, rules FROM crawls ORDER BY id DESC LIMIT 1").fetchone()
            goes_on = last is not None and last[1] is None and last[2] == written
            if goes_on:
                self._crawl = last[0]
            else:
                cursor = run("INSERT INTO crawls(started_at, rules) VALUES (?, ?)", (_now(), written))
                self._crawl = int(cursor.lastrowid or 0)
                if fresh:
                    run("UPDATE urls SET state = 'skipped', reason = 'unreached', depth = NULL, found_on = NULL")
                    run("DELETE FROM links")
                elif last is not None:
                    run(
                        "UPDATE urls SET state = 'queued', reason = '', detail = '' WHERE state IN ('failed', 'skipped')"
                        " AND reason IN (SELECT value FROM json_each(?))",
                        (json.dumps(_TRANSIENT),),
                    )
                    if last[2] != written:
                        self._judge_anew(run, rules)
            run(
                "INSERT INTO urls(url, host, depth, state, reason, found_at) "
                "SELECT value->>0, value->>1, 0, 'queued', '', ? FROM json_each(?) WHERE true "
                "ON CONFLICT(url) DO UPDATE SET depth = 0, found_on = NULL, "
                "state = CASE WHEN state IN ('done', 'gone') THEN state ELSE 'queued' END, "
                "reason = CASE WHEN state IN ('done', 'gone') THEN reason ELSE '' END WHERE true",
                (_now(), json.dumps([(url, host(url)) for url in seeds])),
            )
            self._relax(run)
            run("DELETE FROM temp.offered")
        return goes_on

    def _judge_anew(self, run: Callable[..., sqlite3.Cursor], rules: dict[str, Any]) -> None:
        """Gives every URL that was never fetched the verdict that the present rules give it."""
        scope = Scope(rules["scope"], tuple(rules["seeds"]), tuple(rules["include"]), tuple(rules["exclude"]))
        changed = []
        rows = run(
            "SELECT id, url, depth, reason FROM urls WHERE depth IS NOT NULL AND (state = 'queued' "
            "OR (state = 'skipped' AND reason IN ('scope', 'include', 'exclude', 'depth')))"
        )
        while some := rows.fetchmany(10_000):
            for id_, url, depth, reason in some:
                verdict = scope.verdict(url) or ("depth" if depth > self._deepest else "")
                if verdict != reason:
                    changed.append((id_, verdict))
        run(
            "UPDATE urls SET reason = j.reason, state = CASE j.reason WHEN '' THEN 'queued' ELSE 'skipped' END "
            "FROM (SELECT value->>0 AS id, value->>1 AS reason FROM json_each(?)) AS j WHERE urls.id = j.id",
            (json.dumps(changed),),
        )

    def commit(self, outcomes: Sequence[Outcome], robots: Sequence[RobotsReply] = (), room: int = 1000) -> Handed:
        """Rule 1, one transaction: pages, their index rows, links and URL states become visible together or not at all.

        Returns the URLs that became queued by it, at most `room` of them, the nearest to a seed first.
        Raises IndexFileError; then nothing of the batch is stored.
        """
        batch = _Rows(outcomes)
        with self._transaction() as run:
            if robots:
                run(
                    "INSERT INTO hosts SELECT value->>0, value->>1, value->>2, value->>3, value->>4 FROM json_each(?) "
                    "WHERE true ON CONFLICT(origin) DO UPDATE SET robots_status = excluded.robots_status, "
                    "robots_detail = excluded.robots_detail, robots_txt = excluded.robots_txt, "
                    "robots_at = excluded.robots_at",
                    (_json([(r.origin, r.status, r.detail, r.text, r.fetched_at) for r in robots]),),
                )
            if not outcomes:
                return Handed([], 0)
            run(_OUTCOMES, (_json(batch.outcomes),))
            for table, key in (("sections", "page"), ("pages", "id"), ("links", "source")):
                run(f"DELETE FROM {table} WHERE {key} IN (SELECT value FROM json_each(?))", (_json(batch.replaced),))  # noqa: S608
            if batch.pages:
                run(_PAGES, (_json(batch.pages),))
                run(_SECTIONS, (_json(batch.sections),))
            if batch.targets:
                run(_TARGETS, {"targets": _json(batch.targets), "deepest": self._deepest, "now": _now()})
                run(_LINKS, (_json(batch.links),))
            self._relax(run)
            urls, offered = run(_HAND_BACK, (room,)).fetchone()
            run("DELETE FROM temp.offered")
        handed = [Queued(*row) for row in json.loads(urls)]
        return Handed(handed, offered)

    def _relax(self, run: Callable[..., sqlite3.Cursor]) -> None:
        """Carries a depth that became smaller on along the links, so that depths never depend on who was faster."""
        while run("SELECT EXISTS (SELECT 1 FROM temp.nearer)").fetchone()[0]:
            run("INSERT INTO temp.wave SELECT id FROM temp.nearer")
            run("DELETE FROM temp.nearer")
            run(_RELAX, {"deepest": self._deepest})
            run("DELETE FROM temp.wave")

    def queued(self, held: Iterable[int], full: Iterable[str], room: int, per_host: int) -> list[Queued]:
        """At most `room` URLs that wait and are not in `held`, `per_host` of a host, none of the hosts in `full`."""
        values = {"held": _json(list(held)), "full": _json(list(full)), "room": room, "share": per_host}
        with self._transaction() as run:
            return [Queued(*row) for row in json.loads(run(_WAITING, values).fetchone()[0])]

    def finish(self, report: dict[str, Any]) -> None:
        """Ends the crawl: gives sections the texts of the links that point to them, and notes the report.

        After a fresh crawl without failures, pages that were not reached again leave the index here.
        """
        with self._transaction() as run:
            # What failed for a passing reason may have led to them: then they stay until a crawl that knows.
            unreached = (
                "SELECT id FROM urls WHERE state = 'skipped' AND reason = 'unreached' AND NOT EXISTS "
                f"(SELECT 1 FROM urls WHERE state = 'failed' AND reason IN {_TRANSIENT})"
            )
            for table, key in (("sections", "page"), ("pages", "id")):
                run(f"DELETE FROM {table} WHERE {key} IN ({unreached})")  # noqa: S608
            run(_PLACES)
            run("CREATE INDEX temp.places_by_fragment ON places(page, fragment)")
            run(_LINK_TEXTS)
            run("DROP TABLE temp.places")
            run("UPDATE crawls SET finished_at = ?, report = ? WHERE id = ?", (_now(), json.dumps(report), self._crawl))
        with self._transaction() as run:
            run("INSERT INTO sections_fts(sections_fts, rank) VALUES ('merge', 500)")
        with self._lock, _mapped(self._path):
            self._connection.execute("PRAGMA optimize")

    def totals(self, seeds: Sequence[str] = ()) -> Totals:
        """Counts over the whole file, and what became of the seeds."""
        with self._transaction() as run:
            states = dict(run("SELECT state, count(*) FROM urls GROUP BY state").fetchall())
            reasons = run(
                "SELECT reason, count(*) FROM urls WHERE state IN ('failed', 'skipped', 'gone') GROUP BY 1 ORDER BY 2 DESC"
            ).fetchall()
            pages = run("SELECT count(*) FROM pages").fetchone()[0]
            fates = run(
                "SELECT url, state || iif(reason = '', '', ': ' || reason) || iif(coalesce(detail, '') = '', '', ': ' || detail) "
                "FROM urls WHERE url IN (SELECT value FROM json_each(?))",
                (_json(list(seeds)),),
            ).fetchall()
        counts = {state: states.get(state, 0) for state in ("queued", "failed", "skipped", "gone")}
        return Totals(pages=pages, reasons=dict(reasons), seeds=dict(fates), **counts)

    def close(self) -> None:
        """Closes the file, and lets go of it."""
        with self._lock:
            self._connection.close()
            self._owner.close()  # which frees the lock

    @contextmanager
    def _transaction(self) -> Iterator[Callable[..., sqlite3.Cursor]]:
        """The connection's `execute` inside a transaction of its own; rolled back when the block raises."""
        with self._lock, _mapped(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection.execute
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def __repr__(self) -> str:
        return f"<SqliteStore {self._path}>"


class _Rows:
    """The rows of a batch, a list for each table."""

    def __init__(self, outcomes: Sequence[Outcome]) -> None:
        self.replaced: list[int] = []
        """URLs whose stored page, if there is one, is replaced or goes; a failure that may pass keeps it."""
        self.outcomes: list[tuple[Any, ...]] = []
        self.pages: list[tuple[Any, ...]] = []
        self.sections: list[tuple[Any, ...]] = []
        self.targets: list[tuple[Any, ...]] = []
        self.links: list[tuple[Any, ...]] = []
        for outcome in outcomes:
            self._add(outcome)

    def _add(self, o: Outcome) -> None:
        redirect_to = next((edge.url for edge in o.edges if edge.rel == "redirect"), None)
        self.outcomes.append(
            (o.id, o.state, o.reason, o.detail, o.status, o.attempts, o.fetched_at, round(o.seconds, 4), o.size,
             o.content_type, o.etag, o.last_modified, redirect_to, o.reason in _GONE)
        )  # fmt: skip
        if o.state != "failed" or o.reason in _GONE:
            self.replaced.append(o.id)
        if (page := o.page) is not None:
            fields = None if o.fields is None else json.dumps(o.fields, ensure_ascii=False)
            self.pages.append(
                (o.id, o.url, page.title, page.description, page.lang, host(o.url), o.fetched_at, page.canonical,
                 page.encoding, " ".join(sorted(page.robots)), fields)
            )  # fmt: skip
            self.sections.extend(
                (o.id, order, s.level, s.anchor, page.title, s.heading, " ".join(s.ids), " · ".join(s.terms), s.text)
                for order, s in enumerate(page.sections)
            )
        # Of all edges to one target the best decides: one that is followed before one that is not.
        best: dict[str, Edge] = {}
        for edge in o.edges:
            known = best.get(edge.url)
            if known is None or (edge.hops is not None and known.hops is None):
                best[edge.url] = edge
        self.targets.extend(
            (o.id, e.url, host(e.url), e.refused, e.hops, o.redirects + 1 if e.hops == 0 else 0) for e in best.values()
        )
        self.links.extend((o.id, e.url, e.fragment, e.text, e.rel, e.hops) for e in o.edges)


def _own(path: Path) -> TextIO:
    """The lock file beside the index, locked: the kernel frees it when this process ends, however it ends.

    Raises IndexFileError when another process holds it.
    """
    beside = path.with_name(path.name + ".lock")
    try:
        file = os.fdopen(os.open(beside, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644), "r+")
    except OSError as error:
        raise IndexFileError(f"{beside}: cannot be written: {error.strerror}", "check the folder's permissions") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        owner = file.read(20).strip()
        file.close()
        raise IndexFileError(
            f"{path}: another crawl writes to it" + (f" (process {owner})" if owner.isdigit() else ""),
            "wait for it to end, stop it, or give another path with --db; searching goes on undisturbed",
        ) from None
    file.truncate()
    file.write(str(os.getpid()))
    file.flush()
    return file


@contextmanager
def _mapped(path: Path) -> Iterator[None]:
    """SQLite's errors as ours."""
    try:
        yield
    except sqlite3.Error as error:
        if isinstance(error, sqlite3.OperationalError) and "full" in str(error):
            raise IndexFileError(f"{path}: the disk is full", "free some space and run the same command again") from error
        raise IndexFileError(f"{path}: {error}", "what was committed before is safe") from error


def _json(rows: Sequence[Any]) -> str:
    try:
        return json.dumps(rows, ensure_ascii=False, check_circular=False)
    except (ValueError, TypeError) as error:  # pragma: no cover - rows are made above, of strings and numbers
        raise CrawlerError(f"rows that JSON cannot carry: {error}") from error


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
