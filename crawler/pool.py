"""The pages that hits are looked for among: what filters let through, and what holds all that is required.

Filters and requirements are worked out once for a search, to a list of pages, where that is short: SQLite would do it
again for each statement, a row at a time. A long list is none: then a row is looked up as it comes, and most will do.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from crawler.matches import Wanted, all_of, any_of

_FEW_ROWS: Final = 5_000  # of the rarest thing that is required; its pages are looked up one by one
_MANY_ROWS: Final = 1_000  # sections that hold all that is required; where there are more, other pages are not needed
_FEW_PAGES: Final = 20_000  # a longer list takes longer to go through than rows to be looked up
_COMMON: Final = 20_000  # rows; of what is excluded and in more of them, few pages may be free

_LET_THROUGH: Final = "SELECT id FROM pages WHERE {condition} LIMIT :most"
_OF_THESE: Final = """
SELECT pages.id FROM json_each(:pages) CROSS JOIN pages ON pages.id = json_each.value WHERE {condition}
"""
_ROWS: Final = """
(SELECT rowid FROM sections_fts WHERE sections_fts MATCH :match
    UNION ALL SELECT rowid FROM called_fts WHERE called_fts MATCH :match)
"""
# The last of these by an index alone: to look up many rows takes longer than to go through all of them.
_HOLDING: Final = {
    how: f"SELECT DISTINCT page FROM {rows} IN {_ROWS}"
    for how, rows in (
        ("these", "json_each(:pages) CROSS JOIN sections ON page = json_each.value WHERE +sections.id"),
        ("few", "sections WHERE id"),
        ("many", "sections INDEXED BY sections_by_page WHERE +id"),
    )
}
_WITHOUT: Final = f"""
SELECT page FROM sections INDEXED BY sections_by_page GROUP BY page HAVING NOT max(+id IN {_ROWS}) LIMIT :most
"""
_SECTIONS: Final = """
SELECT json_group_array(sections.id) FROM json_each(?) CROSS JOIN sections ON page = json_each.value
"""
_COUNT: Final = "SELECT count(*) FROM (SELECT 1 FROM sections_fts WHERE sections_fts MATCH ? LIMIT ?)"

# Whether the page of a row is one of them.
_ROW_BY_ROW: Final = """
AND EXISTS (SELECT 1 FROM sections CROSS JOIN pages ON pages.id = sections.page
    WHERE sections.id = {table}.rowid AND {condition})
"""
_NOTHING: Final = '""'  # an expression
_LISTED: Final = "AND +{table}.rowid IN (SELECT value FROM json_each(:pool_sections))"


class Pool:
    """The pages among which a search looks, as conditions for its statements."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        wanted: Wanted,
        condition: str = "",
        values: Mapping[str, str] | None = None,
        *,
        exact: bool = False,
    ) -> None:
        """`condition` is one on `pages`, `values` are its parameters.

        `exact` makes no difference between few pages and very many, however long that takes.
        """
        self._connection = connection
        self.values: dict[str, Any] = dict(values or {})
        """The parameters of the conditions."""
        self._condition = condition
        self._exact = exact
        self.every = ""
        """What each section has to hold, where that says enough of its page; mostly empty."""
        self._excluded = any_of(wanted.excluded)
        required = [one.expression for one in wanted.required]
        if wanted.some == required and len(required) == 1:  # and nothing beside it: then whatever matches holds it
            required = []
        self._pages = self._listed(required)
        if self._pages is not None:
            pages = json.dumps(self._pages)
            (sections,) = connection.execute(_SECTIONS, (pages,)).fetchone()
            self._condition = "pages.id IN (SELECT value FROM json_each(:pool_pages))"
            self.values |= {"pool_pages": pages, "pool_sections": sections}

    @property
    def is_narrowed(self) -> bool:
        """Whether there is a condition, on some page or other."""
        return bool(self._condition)

    @property
    def is_empty(self) -> bool:
        return self._pages == []

    @property
    def condition(self) -> str:
        """One on `pages`."""
        return self._condition or "true"

    def filter(self, table: str) -> str:
        """A condition on the rows of a full-text index, to be put behind others."""
        if self._pages is not None:
            return _LISTED.format(table=table)
        return _ROW_BY_ROW.format(table=table, condition=self._condition) if self._condition else ""

    def match(self, expression: str, table: str = "sections_fts") -> str:
        """The expression, so that it finds no section without what is required, or with what is excluded."""
        if self.every and table == "called_fts":
            return _NOTHING
        expression = all_of([self.every, expression]) if self.every else expression
        return f"({expression} NOT {self._excluded})" if self._excluded else expression

    def without_excluded(self, pages: Iterable[int]) -> set[int]:
        """Those of some pages no section of which holds what is excluded."""
        rest = set(pages)
        return rest - set(self._holding("these", self._excluded, rest)) if self._excluded else rest

    def _listed(self, required: Sequence[str]) -> list[int] | None:
        """The pages in the pool; None where they are too many to list."""
        pages = self._few(_LET_THROUGH.format(condition=self._condition), self.values) if self._condition else None
        if pages is None and self._excluded and self._count(self._excluded, _COMMON) == _COMMON:
            pages = self._few(_WITHOUT, {"match": self._excluded})
            if pages is not None and self._condition:
                pages = self._let_through(pages)
        if not required:
            return pages
        if pages is None:
            pages = self._required(required)
            return self._let_through(pages) if pages is not None and self._condition else pages
        for one in required:
            pages = self._holding("these", one, pages)
        return pages

    def _let_through(self, pages: Sequence[int]) -> list[int]:
        """Those of some pages for which the condition holds."""
        values = self.values | {"pages": json.dumps(pages)}
        return [page for (page,) in self._connection.execute(_OF_THESE.format(condition=self._condition), values)]

    def _few(self, statement: str, values: Mapping[str, Any]) -> list[int] | None:
        """What a statement finds; None where that is a long list."""
        found = self._connection.execute(statement, {**values, "most": _FEW_PAGES + 1}).fetchall()
        return [page for (page,) in found] if len(found) <= _FEW_PAGES else None

    def _count(self, match: str, most: int) -> int:
        return int(self._connection.execute(_COUNT, (match, most)).fetchone()[0])

    def _required(self, required: Sequence[str]) -> list[int] | None:
        """The pages that hold all that is required, in whichever of their sections.

        None where very many sections hold all of it: then a section without it is no hit, whatever else its page holds.
        """
        counts = {one: self._count(one, _FEW_ROWS) for one in required}
        rarest, *others = sorted(counts, key=lambda one: counts[one])
        together = all_of(required)
        is_common = counts[rarest] == _FEW_ROWS
        if is_common and not self._exact and self._count(together, _MANY_ROWS) == _MANY_ROWS:
            self.every = together
            return None
        pages = self._holding("many" if is_common else "few", rarest)
        for one in others:
            pages = self._holding("these", one, pages)
        return pages

    def _holding(self, how: str, match: str, pages: Iterable[int] = ()) -> list[int]:
        values = {"match": match, "pages": json.dumps(list(pages))}
        return [page for (page,) in self._connection.execute(_HOLDING[how], values)]
