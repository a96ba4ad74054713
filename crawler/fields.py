"""Fields of your own: values that a person picks from the pages of a site with CSS selectors.

This is where BeautifulSoup serves: its selectors (soupsieve) cover all of CSS that people know, and it is built
only for the pages of a site that has such fields. Every other page costs it nothing.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from bs4 import Tag

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

    Whitespace is collapsed. Raises nothing that the parser does not: callers guard the page.
    """
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(body.decode(encoding, "replace"), "html.parser")
    values: dict[str, Value] = {}
    for name, selector in selectors.items():
        nodes = soup.select(selector.css, limit=0 if selector.many else 1)
        found = [value for node in nodes if (value := _value(node, selector.attribute)) is not None]
        values[name] = found if selector.many else (found[0] if found else None)
    return values


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
