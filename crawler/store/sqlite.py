"""The store in one SQLite file: frontier, history, pages, links and full text.

Every write is ONE statement over a JSON array for each table of a batch, never a statement a row: each call into
SQLite gives up the GIL, and a thread that gives it up among busy ones waits a switch interval to get it back. For
the same reason new URLs come back as one row of JSON rather than by RETURNING, which is a call a row.
"""

import json
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from crawler.errors import CrawlerError, IndexFileError
from crawler.store import Handed, Outcome, Queued, RobotsReply, Totals, schema, sql
from crawler.store.owner import own
from crawler.urls import Scope, host


class SqliteStore:
    """The store in a file that this process owns. One writing connection, used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        schema.check(path)  # before the lock file beside it is made
        path = path.resolve()  # one lock, by whatever name the file is called
        self._path = path
        self._lock = threading.Lock()
        self._owner = own(path)
        try:
            self._connection = schema.connect_writer(path)
            with _mapped(path):
                self._connection.executescript(sql.SCRATCH)
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
                    self._forget(run, rules)
                elif last is not None:
                    run(sql.RETRIED, (json.dumps(sql.TRANSIENT),))
                    if last[2] != written:
                        self._judge_anew(run, rules)
            run(sql.SEEDS, (_now(), json.dumps([(url, host(url)) for url in seeds])))
            self._relax(run)
            run("DELETE FROM temp.offered")
        return goes_on

    def _forget(self, run: Callable[..., sqlite3.Cursor], rules: dict[str, Any]) -> None:
        """Makes every URL in the scope of the rules one that was not reached yet. What is indexed stays, for now."""
        scope = Scope(rules["scope"], tuple(rules["seeds"]), tuple(rules["include"]), tuple(rules["exclude"]))
        rows = run("SELECT id, url FROM urls").fetchall()
        mine = json.dumps([id_ for id_, url in rows if scope.verdict(url) is None])
        run("DELETE FROM links WHERE source IN (SELECT value FROM json_each(?))", (mine,))
        run(
            "UPDATE urls SET state = 'skipped', reason = 'unreached', depth = NULL, found_on = NULL "
            "WHERE id IN (SELECT value FROM json_each(?))",
            (mine,),
        )

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
        with self._transaction() as run:
            if robots:
                run(sql.ROBOTS, (_json([(r.origin, r.status, r.detail, r.text, r.fetched_at) for r in robots]),))
            if not outcomes:
                return Handed([], 0)
            depths = run(sql.DEPTHS, (_json([outcome.id for outcome in outcomes]),)).fetchone()[0]
            batch = _Rows(outcomes, json.loads(depths))
            run(sql.OUTCOMES, (_json(batch.outcomes),))
            for table, key in sql.OF_A_PAGE:
                replaced = "(SELECT value FROM json_each(?))"
                run(f"DELETE FROM {table} WHERE {key} IN {replaced}", (_json(batch.replaced),))
            if batch.pages:
                run(sql.PAGES, (_json(batch.pages),))
                run(sql.SECTIONS, {"sections": _json(batch.sections), "texts": b"".join(batch.texts)})
            if batch.links:
                run(sql.TARGETS, {"targets": _json(batch.targets), "deepest": self._deepest, "now": _now()})
                run(sql.PLACES_OF_TARGETS, (_json(batch.target_urls),))
                run(sql.LINKS, (_json(batch.links),))
                run("DELETE FROM temp.target")
            self._relax(run)
            urls, offered = run(sql.HAND_BACK, (room,)).fetchone()
            run("DELETE FROM temp.offered")
        handed = [Queued(*row) for row in json.loads(urls)]
        return Handed(handed, offered)

    def _relax(self, run: Callable[..., sqlite3.Cursor]) -> None:
        """Carries a depth that became smaller on along the links, so that depths never depend on who was faster."""
        while run("SELECT EXISTS (SELECT 1 FROM temp.nearer)").fetchone()[0]:
            run("INSERT INTO temp.wave SELECT id FROM temp.nearer")
            run("DELETE FROM temp.nearer")
            run(sql.RELAX, {"deepest": self._deepest})
            run("DELETE FROM temp.wave")

    def queued(self, held: Iterable[int], full: Iterable[str], room: int, per_host: int) -> list[Queued]:
        """At most `room` URLs that wait and are not in `held`, `per_host` of a host, none of the hosts in `full`."""
        values = {"held": _json(list(held)), "full": _json(list(full)), "room": room, "share": per_host}
        with self._transaction() as run:
            return [Queued(*row) for row in json.loads(run(sql.WAITING, values).fetchone()[0])]

    def finish(self, report: dict[str, Any]) -> None:
        """Ends the crawl: gives sections the texts of the links that point to them, and notes the report.

        After a fresh crawl without failures, pages that were not reached again leave the index here.
        """
        with self._transaction() as run:
            # What failed for a passing reason may have led to them: then they stay until a crawl that knows.
            for table, key in sql.OF_A_PAGE:
                run(f"DELETE FROM {table} WHERE {key} IN ({sql.UNREACHED})")
            run("DELETE FROM called")
            for statement in sql.PLACES:
                run(statement)
            run(sql.LINK_TEXTS)
            run("DROP TABLE temp.places")
            run("INSERT INTO called_fts(called_fts) VALUES ('rebuild')")
            run(
                "UPDATE crawls SET finished_at = ?, report = ? WHERE id = ?",
                (_now(), json.dumps(report), self._crawl),
            )
        with self._transaction() as run:
            run("INSERT INTO sections_fts(sections_fts, rank) VALUES ('merge', 500)")

    def interrupt(self) -> None:
        """Ends the statement under way, from another thread: it raises IndexFileError, its transaction is undone."""
        self._connection.interrupt()

    def totals(self, seeds: Sequence[str] = ()) -> Totals:
        """Counts over the whole file, and what became of the seeds."""
        with self._transaction() as run:
            states = dict(run("SELECT state, count(*) FROM urls GROUP BY state").fetchall())
            reasons = run(sql.REASONS).fetchall()
            pages = run("SELECT count(*) FROM pages").fetchone()[0]
            fates = run(sql.FATES, (_json(list(seeds)),)).fetchall()
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


_Target = tuple[str, str, str | None, int | None, int, int]  # URL, host, refused, depth, redirects, source


class _Rows:
    """The rows of a batch, a list for each table. `depths` are those of the outcomes' URLs, by id in decimal."""

    def __init__(self, outcomes: Sequence[Outcome], depths: Mapping[str, int | None]) -> None:
        self.replaced: list[int] = []
        """URLs whose stored page, if there is one, is replaced or goes; a failure that may pass keeps it."""
        self.outcomes: list[tuple[Any, ...]] = []
        self.pages: list[tuple[Any, ...]] = []
        self.sections: list[tuple[Any, ...]] = []
        self.texts: list[bytes] = []
        """Of the sections, in UTF-8."""
        self._text_bytes = 0
        self.links: list[tuple[Any, ...]] = []
        self._places: dict[str, int] = {}
        self._best: dict[str, _Target] = {}
        for outcome in outcomes:
            self._add(outcome, depths.get(str(outcome.id)))

    def _add(self, o: Outcome, depth_of: int | None) -> None:
        redirect_to = next((edge.url for edge in o.edges if edge.rel == "redirect"), None)
        self.outcomes.append(
            (o.id, o.state, o.reason, o.detail, o.status, o.attempts, o.fetched_at, round(o.seconds, 4), o.size,
             o.content_type, o.etag, o.last_modified, redirect_to, o.reason in sql.GONE)
        )  # fmt: skip
        if o.state != "failed" or o.reason in sql.GONE:
            self.replaced.append(o.id)
        if (page := o.page) is not None:
            fields = None if o.fields is None else json.dumps(o.fields, ensure_ascii=False)
            self.pages.append(
                (o.id, o.url, page.title, page.description, page.lang, host(o.url), o.fetched_at, page.canonical,
                 page.encoding, " ".join(sorted(page.robots)), fields)
            )  # fmt: skip
            for order, s in enumerate(page.sections):
                text = s.text.encode()
                self.sections.append(
                    (o.id, order, s.level, s.anchor, page.title, s.heading, " ".join(s.ids), " · ".join(s.terms),
                     self._text_bytes + 1, len(text))
                )  # fmt: skip
                self.texts.append(text)
                self._text_bytes += len(text)
        for edge in o.edges:
            place = self._places.setdefault(edge.url, len(self._places))
            self.links.append((o.id, place, edge.fragment, edge.text, edge.rel, edge.hops))
            depth = None if edge.hops is None or depth_of is None else depth_of + edge.hops
            known = self._best.get(edge.url)
            if known is None or (depth is not None and (known[3] is None or depth < known[3])):
                redirects = o.redirects + 1 if edge.hops == 0 else 0
                self._best[edge.url] = (edge.url, host(edge.url), edge.refused, depth, redirects, o.id)

    @property
    def targets(self) -> list[_Target]:
        """What the batch links to: of all edges to a URL the one that counts, followed and of the smallest depth."""
        return list(self._best.values())

    @property
    def target_urls(self) -> list[str]:
        """The URLs by their place, as `links` name them."""
        return list(self._places)


@contextmanager
def _mapped(path: Path) -> Iterator[None]:
    """SQLite's errors as ours."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise IndexFileError(f"{path}: is damaged: {error}", "what can be read can still be searched") from error
    except sqlite3.Error as error:
        if isinstance(error, sqlite3.OperationalError) and "full" in str(error):
            raise IndexFileError(
                f"{path}: the disk is full", "free some space and run the same command again"
            ) from error
        raise IndexFileError(f"{path}: {error}", "what was committed before is safe") from error


def _json(rows: Sequence[Any]) -> str:
    try:
        return json.dumps(rows, ensure_ascii=False, check_circular=False)
    except (ValueError, TypeError) as error:  # pragma: no cover - rows are made above, of strings and numbers
        raise CrawlerError(f"rows that JSON cannot carry: {error}") from error


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
