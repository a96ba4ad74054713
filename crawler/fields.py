"""Fields of your own: values that a person picks from the pages of a site with CSS selectors.

This is where BeautifulSoup serves: its selectors (soupsieve) cover all of CSS that people know, and it is built
only for the pages of a site that has such fields. Every other page costs it nothing.
"""

import re
import warnings
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

_MAX_MARKUP = 2_000_000  # characters in which fields are looked for; BeautifulSoup takes a second for them
_MAX_VALUES = 1_000  # of a field
_MAX_TEXT = 1_000_000  # characters of all fields of a page

Value = str | list[str] | None


class Selector(NamedTuple):
    """A CSS selector, the attribute to read (empty: the text), and whether all matches are wanted."""

    css: str
    attribute: str = ""
    many: bool = False

    @classmethod
    def parse(cls, written: str, many: bool = False) -> "Selector":
        """`meta[name=author]@content` reads an attribute, `.price` a text. Raises ValueError when it does not parse."""
        import soupsieve  # loaded only when fields are configured

        read = re.search(r"@([\w:.-]+)\s*$", written)  # an @ before that belongs to the selector: a[href*="@"]
        if written.rstrip().endswith("@"):
            raise ValueError(f"no attribute name after @ in {written!r}")
        css, attribute = (written[: read.start()], read[1]) if read else (written, "")
        try:
            soupsieve.compile(css)
        except (soupsieve.SelectorSyntaxError, NotImplementedError) as error:
            raise ValueError(f"not a CSS selector: {str(error).splitlines()[0]}") from error
        if not css.strip():
            raise ValueError("the selector is empty")
        return cls(css.strip(), attribute, many)


def extract(body: bytes, encoding: str, selectors: Mapping[str, Selector]) -> dict[str, Value]:
    """The values of the fields in an HTML document: a string, a list where all matches are wanted, None if absent.

    Whitespace is collapsed. Of matches within matches, which repeat each other's text, come at most so many. Raises
    nothing that the parser does not: callers guard the page.
    """
    from crawler.tree import tree_of

    # What the browser-grade parser makes of the document is well-formed. Python's own parser and BeautifulSoup take
    # time that grows with the square of what is not.
    tree, _ = tree_of(body.decode(encoding, "replace").encode("utf-8", "replace"))
    soup = _beautiful_soup()((tree.html or "")[:_MAX_MARKUP], "html.parser")
    left = _MAX_TEXT
    values: dict[str, Value] = {}
    for name, selector in selectors.items():
        found = []
        for node in soup.select(selector.css, limit=_MAX_VALUES if selector.many else 1):
            value = _value(node, selector.attribute) if left > 0 else None
            if value is not None:
                left -= len(value)
                found.append(value)
        values[name] = found if selector.many else (found[0] if found else None)
    return values


@lru_cache(maxsize=1)
def _beautiful_soup() -> "type[BeautifulSoup]":
    import bs4

    # That a page looks like a URL, or like XML, is nothing that whoever crawls it could change.
    warnings.filterwarnings("ignore", category=bs4.UnusualUsageWarning)
    return bs4.BeautifulSoup


def _value(node: "Tag", attribute: str) -> str | None:
    if not attribute:
        return _scrub(node.get_text(" "))
    value = node.get(attribute)
    if value is None:
        return None
    return _scrub(value if isinstance(value, str) else " ".join(value))


def _scrub(text: str) -> str:
    """Single spaces, and nothing in it that UTF-8 or SQLite's JSON cannot carry."""
    return " ".join(text.replace("\0", " ").split()).encode("utf-8", "replace").decode("utf-8")
