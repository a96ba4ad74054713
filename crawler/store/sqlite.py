"""The store in one SQLite file: frontier, history, pages, links and full text.

Every write is ONE statement over a JSON array for each table of a batch, never a statement a row: each call into
SQLite gives up the GIL, and a thread that gives it up among busy ones waits a switch interval to get it back. For
the same reason new URLs come back as one row of JSON rather than by RETURNING, which is a call a row.
"""

import json
import os
import sqlite3
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from crawler.errors import CrawlerError, IndexFileError
from crawler.fingerprint import ALIKE, NEAR, distance, likeness
from crawler.shapes import Crowds, repetition, shape
from crawler.store import Handed, HostPace, Hosts, Outcome, Queued, Revisit, RobotsReply, Totals, hosts, schema, sql
from crawler.store.fulltext import COUNT_WORDS, WORTH_COUNTING, rebuild
from crawler.store.owner import own
from crawler.store.rows import Rows
from crawler.urls import Scope, host, origin, same_site

_CLOSER_LOOKS = 8  # at the texts of pages that may be alike, for each page
_OF_THE_RUN = {"fresh", "update", "sitemaps"}  # keys of the rules that say how a crawl runs, not what belongs to it


class SqliteStore:
    """The store in a file that this process owns. One writing connection, used by one thread at a time."""

    def __init__(self, path: Path, *, durable: bool = False) -> None:
        schema.check(path)  # before the lock file beside it is made
        path = path.resolve()  # one lock, by whatever name the file is called
        self._path = path
        self._lock = threading.Lock()
        self._owner = own(path)
        try:
            self._connection = schema.connect_writer(path, durable=durable)
            with _mapped(path):
                self._connection.executescript(f"PRAGMA temp_store = MEMORY; {sql.SCRATCH}")
                self._connection.create_function("deflated", 1, lambda text: zlib.compress((text or "").encode()))
        except BaseException:
            self._owner.close()
            raise
        self.hosts: Hosts = hosts.SqliteHosts(self._transaction)
        self._file = _identity(path)
        self._deepest = 0
        self._fresh = False
        self._crawl = 0
        self._sections = 0  # written
        self._began = ""  # of a revisit: when it was started
        self._crowds: Crowds | None = None

    def rules(self) -> dict[str, Any] | None:
        """Those of the last crawl; None when there was none."""
        with self._transaction() as run:
            row = run("SELECT rules FROM crawls ORDER BY id DESC LIMIT 1").fetchone()
        return json.loads(row[0]) if row else None

    def begin(
        self,
        rules: dict[str, Any],
        seeds: Sequence[str],
        *,
        fresh: bool = False,
        revisit: Revisit | None = None,
        sitemaps: Sequence[str] = (),
    ) -> bool:
        """Starts a crawl by the rules, or goes on with the last one; returns whether it goes on.

        `rules` are those that verdicts depend on: seeds, depth, scope, include, exclude. If they are not those of
        the last crawl, every URL that was not fetched is judged anew. A crawl that starts after a finished one
        tries again what failed for a passing reason. `fresh` fetches everything again: what is indexed stays until
        it is replaced, and goes at the end of the crawl if it was not reached again. `revisit` asks again for what
        was fetched before. `sitemaps` are looked for where that was not done yet, or to revisit.
        """
        rules = rules | {"fresh": fresh} | ({"update": True} if revisit else {})
        written = json.dumps(rules, sort_keys=True)
        self._deepest = int(rules["depth"])
        self._fresh = fresh
        with self._transaction() as run:
            last = run("SELECT id, finished_at, rules, started_at FROM crawls ORDER BY id DESC LIMIT 1").fetchone()
            goes_on = last is not None and last[1] is None and last[2] == written
            if goes_on:
                self._crawl = last[0]
                self._began = last[3] if revisit else ""
            else:
                self._began = _now() if revisit else ""
                cursor = run("INSERT INTO crawls(started_at, rules) VALUES (?, ?)", (_now(), written))
                self._crawl = int(cursor.lastrowid or 0)
                if fresh:
                    self._forget(run, rules)
                elif last is not None:
                    if revisit is None:
                        run(sql.RETRIED, (json.dumps(sql.TRANSIENT),))
                    if not _same_verdicts(json.loads(last[2]), rules):
                        self._judge_anew(run, rules)
                if revisit is not None:
                    run(sql.REVISITED, {"before": revisit.before, "now": _now(), "sitemaps": bool(sitemaps)})
                asked: dict[str, Any] = json.loads(last[2]) if last and not fresh and not revisit else {"depth": 0}
                if asked["depth"] > 0:
                    sitemaps = [url for url in sitemaps if origin(url) not in map(origin, asked["seeds"])]
                run(sql.SITEMAPS, (_now(), json.dumps([(url, host(url), origin(url)) for url in sitemaps])))
            run(sql.SEEDS, (_now(), json.dumps([(url, host(url)) for url in seeds])))
            self._relax(run)
            run("DELETE FROM temp.offered")
            self._crowds = Crowds(run(sql.CROWDS)) if rules.get("traps", True) else None
        return goes_on

    def _forget(self, run: Callable[..., sqlite3.Cursor], rules: dict[str, Any]) -> None:
        """Makes every URL in the scope of the rules one that was not reached yet. What is indexed stays, for now."""
        scope = Scope(rules["scope"], tuple(rules["seeds"]), tuple(rules["include"]), tuple(rules["exclude"]))
        mine = json.dumps(
            [
                id_
                for id_, url, sitemap in run("SELECT id, url, sitemap FROM urls")
                if scope.verdict(url) is None or (sitemap and any(same_site(url, seed) for seed in scope.seeds))
            ]
        )
        run("DELETE FROM links WHERE source IN (SELECT value FROM json_each(?))", (mine,))
        run(
            "UPDATE urls SET state = 'skipped', reason = 'unreached', depth = NULL, found_on = NULL, etag = NULL, "
            "last_modified = NULL WHERE id IN (SELECT value FROM json_each(?))",
            (mine,),
        )

    def _judge_anew(self, run: Callable[..., sqlite3.Cursor], rules: dict[str, Any]) -> None:
        """Gives every URL that was never fetched the verdict that the present rules give it."""
        scope = Scope(rules["scope"], tuple(rules["seeds"]), tuple(rules["include"]), tuple(rules["exclude"]))
        changed = []
        rows = run(
            "SELECT id, url, depth, reason FROM urls WHERE depth IS NOT NULL AND sitemap IS NULL AND (state = 'queued' "
            "OR (state = 'skipped' AND (reason IN ('scope', 'include', 'exclude', 'depth') OR reason LIKE 'trap-%')))"
        )
        traps = rules.get("traps", True)
        while some := rows.fetchmany(10_000):
            for id_, url, depth, reason in some:
                trap = "trap-shape" if reason == "trap-shape" else "trap-repeat" if repetition(url) else ""
                verdict = scope.verdict(url) or ("depth" if depth > self._deepest else trap if traps else "")
                if verdict != reason:
                    changed.append((id_, verdict))
        run(
            "UPDATE urls SET reason = j.reason, state = CASE j.reason WHEN '' THEN 'queued' ELSE 'skipped' END "
            "FROM (SELECT value->>0 AS id, value->>1 AS reason FROM json_each(?)) AS j WHERE urls.id = j.id",
            (json.dumps(changed),),
        )

    def commit(
        self, outcomes: Sequence[Outcome], news: Sequence[RobotsReply | HostPace] = (), room: int = 1000
    ) -> Handed:
        """Rule 1, one transaction: pages, their index rows, links and URL states become visible together or not at all.

        `news` are what hosts said, and how they bore it. Returns the URLs that became queued by it, at most `room` of
        them, the nearest to a seed first.
        Raises IndexFileError; then nothing of the batch is stored.
        """
        with self._transaction() as run:
            if robots := [one for one in news if isinstance(one, RobotsReply)]:
                rows = [(r.origin, r.status, r.detail, r.text, r.fetched_at, r.usage) for r in robots]
                run(sql.ROBOTS, (_json(rows),))
            if paces := [one for one in news if isinstance(one, HostPace)]:
                run(sql.PACES, (_json(hosts.written(paces)),))
            if not outcomes:
                return Handed([], 0)
            known = run(sql.KNOWN, (_json([outcome.id for outcome in outcomes]),)).fetchone()[0]
            batch = Rows(outcomes, msgspec.json.decode(known), fresh=self._fresh)
            self._take_away(run, batch)
            bodies = _json([outcome.body_hash for outcome in outcomes if outcome.page])
            batch.add_pages(msgspec.json.decode(run(sql.HOLDERS, (bodies,)).fetchone()[0]))
            written = {"outcomes": _json(batch.outcomes)}
            run(sql.OUTCOMES, written)
            if batch.kept:
                run(sql.NOT_MODIFIED, written)
                run(sql.KEPT, (_json(batch.kept),))
            if batch.pages:
                self._sections += len(batch.sections)
                run(sql.PAGES, (_json(batch.pages),))
                # Of an empty blob, SQLite gives NULL for any part.
                run(sql.SECTIONS, {"sections": _json(batch.sections), "texts": b"".join(batch.texts) or b" "})
            if batch.links:
                run(sql.TARGETS, {"targets": _json(batch.targets), "deepest": self._deepest, "now": _now()})
                run(sql.PLACES_OF_TARGETS, (_json(batch.target_urls),))
                run(sql.LINKS, (_json(batch.links),))
                run("DELETE FROM temp.target")
            modified = [said for outcome in outcomes for said in outcome.modified] if self._began else []
            if modified:
                run(sql.MODIFIED, {"modified": _json(modified), "began": self._began})
            if guesses := [outcome.id for outcome in outcomes if outcome.reason == "no-sitemap"]:
                run(sql.NO_SITEMAP, (_json(guesses),))
            self._relax(run)
            if self._crowds is not None:
                newcomers = json.loads(run(sql.NEWCOMERS).fetchone()[0])
                if later := self._crowds.add(newcomers):
                    run(sql.CROWDED, (_json(later),))
            urls, offered = run(sql.HAND_BACK, (room,)).fetchone()
            run("DELETE FROM temp.offered")
        handed = [Queued(*row) for row in msgspec.json.decode(urls)]
        return Handed(handed, offered, batch.changes)

    def _take_away(self, run: Callable[..., sqlite3.Cursor], batch: Rows) -> None:
        """What the batch replaces: the pages that are others now, after their texts were kept, and the links."""
        if batch.altered:
            run(sql.VERSIONS, (_json(batch.altered),))
        if batch.had_page:
            self._hand_over(run, batch.replaced)
            for table, key in sql.OF_A_PAGE:
                run(f"DELETE FROM {table} WHERE {key} IN (SELECT value FROM json_each(?))", (_json(batch.had_page),))
        if batch.had_links:
            run("DELETE FROM links WHERE source IN (SELECT value FROM json_each(?))", (_json(batch.had_links),))

    def _hand_over(self, run: Callable[..., sqlite3.Cursor], going: Sequence[int]) -> None:
        """Gives the pages of URLs that are about to lose them to other URLs that show the very same."""
        moves = run(sql.HEIRS, {"going": _json(going)}).fetchone()[0]
        self._move(run, moves, stays=False)

    def _move(self, run: Callable[..., sqlite3.Cursor], moves: str, *, stays: bool) -> None:
        if moves != "[]":
            for statement in sql.MOVES:
                run(statement, {"moves": moves, "stays": stays})

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
            return [Queued(*row) for row in msgspec.json.decode(run(sql.WAITING, values).fetchone()[0])]

    def finish(self, report: dict[str, Any], *, complete: bool = True) -> None:
        """Ends a run: gives sections the texts of the links that point to them, counts words, notes the report.

        The crawl is over if it is `complete`: then after a fresh one without failures, pages that were not reached
        again leave the index here.
        """
        with self._sorting_on_disk(), self._transaction() as run:
            # What failed for a passing reason may have led to them: then they stay until a crawl that knows.
            unreached = [row[0] for row in run(sql.UNREACHED)] if complete else []
            if unreached:
                self._hand_over(run, unreached)
                for table, key in (*sql.OF_A_PAGE, ("links", "source"), ("versions", "page")):
                    run(f"DELETE FROM {table} WHERE {key} IN (SELECT value FROM json_each(?))", (_json(unreached),))
                run("UPDATE urls SET same_as = NULL WHERE id IN (SELECT value FROM json_each(?))", (_json(unreached),))
            self._move(run, run(sql.MISNAMED, {"going": "[]"}).fetchone()[0], stays=True)
            self._group(run)
            run("DELETE FROM called")
            for statement in sql.PLACES:
                run(statement)
            run(sql.LINK_TEXTS)
            run("DROP TABLE temp.places")
            run(rebuild("called_fts"))
            if run(WORTH_COUNTING, {"came": self._sections}).fetchone()[0]:
                for statement in COUNT_WORDS:
                    run(statement)
            if complete:
                run(
                    "UPDATE crawls SET finished_at = ?, report = ? WHERE id = ?",
                    (_now(), json.dumps(report), self._crawl),
                )
        with self._transaction() as run:
            for index in ("sections_fts", "words_fts"):
                run(f"INSERT INTO {index}({index}, rank) VALUES ('merge', 500)")

    def _group(self, run: Callable[..., sqlite3.Cursor]) -> None:
        """Says of every page that was not compared yet which page stands for those that are alike: itself, or another.

        One page at a time, the one that a person would name first, and only those that stand for others are compared
        with, the nearest few by their sketches: it takes a moment a page, however many are alike.
        """

        def text(page: int) -> str:
            return run(sql.TEXT, (page,)).fetchone()[0] or ""

        run(sql.UNGROUPED)
        while some := run(sql.TO_GROUP).fetchall():
            for page, mine in some:
                others = [(distance(mine, other), id_) for id_, other in run(sql.ALIKE, {"sketch": mine}).fetchall()]
                near = sorted(pair for pair in others if pair[0] <= NEAR)[:_CLOSER_LOOKS]
                own_text = text(page) if near else ""
                alike = (other for _, other in near if likeness(own_text, text(other)) >= ALIKE)
                run("UPDATE pages SET similar_to = ? WHERE id = ?", (next(alike, page), page))

    @contextmanager
    def _sorting_on_disk(self) -> Iterator[None]:
        """What is put in order at the end grows with the index, beyond any memory: it goes to temporary files. What the
        commits keep does not, and need not fail where no more files can be opened.
        """
        with self._lock, _mapped(self._path):
            self._connection.execute("PRAGMA temp_store = FILE")  # which takes the temporary tables away
        try:
            yield
        finally:
            with self._lock, _mapped(self._path):
                self._connection.executescript(f"PRAGMA temp_store = MEMORY; {sql.SCRATCH}")

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
            aliases = run("SELECT count(*) FROM urls WHERE same_as IS NOT NULL").fetchone()[0]
            named = tuple(row[0] for row in run(sql.NAMED))
            trapped = run(sql.TRAPPED).fetchall() if "trap-shape" in dict(reasons) else []
        counts = {state: states.get(state, 0) for state in ("queued", "failed", "skipped", "gone")}
        return Totals(
            pages=pages,
            duplicates=aliases,
            reasons=dict(reasons),
            seeds=dict(fates),
            named=named,
            traps=frozenset(shape(url) for (url,) in trapped),
            **counts,
        )

    def close(self) -> None:
        """Closes the file, and lets go of it."""
        with self._lock:
            if _identity(self._path) != self._file:
                # SQLite would leave the log by the old name, without the file that it belongs to.
                with suppress(sqlite3.Error):
                    self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._connection.close()
            self._owner.close()  # which frees the lock

    @contextmanager
    def _transaction(self) -> Iterator[Callable[..., sqlite3.Cursor]]:
        """The connection's `execute` inside a transaction of its own; rolled back when the block raises."""
        with self._lock, _mapped(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection.execute
                self._check_place()
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _check_place(self) -> None:
        """Raises IndexFileError when the path no longer leads to the open file: nobody would find what is written."""
        if _identity(self._path) != self._file:
            raise IndexFileError(
                f"{self._path}: was deleted, renamed or replaced while the crawl wrote to it",
                "what was committed is in the file that was there; put it back, and the same command goes on",
            )

    def __repr__(self) -> str:
        return f"<SqliteStore {self._path}>"


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file a path leads to; None when it leads nowhere."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


@contextmanager
def _mapped(path: Path) -> Iterator[None]:
    """SQLite's errors as ours."""
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise schema.failure(path, error, "written", "what was committed before is safe") from error


def _json(rows: Sequence[Any]) -> str:
    try:
        return msgspec.json.encode(rows).decode()
    except (ValueError, TypeError, msgspec.MsgspecError) as error:  # a lone surrogate, which UTF-8 cannot carry
        raise CrawlerError(f"rows that JSON cannot carry: {error}") from error


def _same_verdicts(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two sets of rules judge every URL alike."""
    mine, theirs = ({key: rules[key] for key in rules.keys() - _OF_THE_RUN} for rules in (one, other))
    return mine == theirs


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
