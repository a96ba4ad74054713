"""Fields of a person's own, picked from pages by CSS selectors."""

import json
import resource
import subprocess
import sys

import pytest

from crawler.fields import Selector, Value, extract
from tests.test_tree import bombs

PAGE = b"""<html><head><meta name=author content=" Ada
  Lovelace "></head><body>
<h1 class="big title">The   <em>Engine</em></h1>
<p class=price>12 <b>EUR</b></p><p class=price>
34</p><a href=/a>A</a><a>B</a><a href="/c">C</a><i></i>
<use xlink:href="#x"></use></body></html>"""


def pick(written: str, many: bool = False, body: bytes = PAGE, encoding: str = "utf-8") -> Value:
    return extract(body, encoding, {"field": Selector.parse(written, many)})["field"]


@pytest.mark.parametrize(
    ("written", "selector"),
    [
        (".price", Selector(".price")),
        ("  h1 > em ", Selector("h1 > em")),
        ("meta[name=author]@content", Selector("meta[name=author]", "content")),
        ("time @datetime", Selector("time", "datetime")),
        ("div@data-sku", Selector("div", "data-sku")),
        ("use@xlink:href", Selector("use", "xlink:href")),
        ("p:has(> a), td:nth-of-type(2)", Selector("p:has(> a), td:nth-of-type(2)")),
        ('a[href*="@"]', Selector('a[href*="@"]')),
        ('a[href*="@"]@href', Selector('a[href*="@"]', "href")),
    ],
)
def test_what_is_written_becomes_a_selector(written: str, selector: Selector) -> None:
    """A selector is CSS, and after an @ the attribute to read."""
    assert Selector.parse(written) == selector


@pytest.mark.parametrize(
    "written",
    ["", "  ", "@href", "p@", "p@@x", "p@da ta", "div[", "p >", "p::before", "!!", ":nonsense(", "p,,q"],
)
def test_bad_selectors(written: str) -> None:
    """What is no selector is refused, in one line that a person can read."""
    with pytest.raises(ValueError, match=r"\A[^\n]+\Z"):
        Selector.parse(written)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        pytest.param("h1 em", "Engine", id="text"),
        pytest.param("h1", "The Engine", id="text over several elements"),
        pytest.param(".price", "12 EUR", id="the first of many"),
        pytest.param("meta[name=author]@content", "Ada Lovelace", id="attribute"),
        pytest.param("a@href", "/a", id="attribute of the first"),
        pytest.param("h1@class", "big title", id="attribute of several values"),
        pytest.param("use@xlink:href", "#x", id="attribute with a namespace"),
        pytest.param("i", "", id="element without text"),
        pytest.param(".discount", None, id="no such element"),
        pytest.param("h1@id", None, id="no such attribute"),
    ],
)
def test_one_value(written: str, value: str | None) -> None:
    """One value is that of the first match, with single spaces, and None where there is none."""
    assert pick(written) == value


@pytest.mark.parametrize(
    ("written", "values"),
    [
        pytest.param(".price", ["12 EUR", "34"], id="texts"),
        pytest.param("a@href", ["/a", "/c"], id="attributes, where there are some"),
        pytest.param(".discount", [], id="nothing"),
    ],
)
def test_many_values(written: str, values: list[str]) -> None:
    """All values are those of all matches, in order."""
    assert pick(written, many=True) == values


def test_each_field_has_its_value() -> None:
    """Fields are picked by name, and one that is missing does not hide the others."""
    selectors = {"a": Selector.parse("h1"), "b": Selector.parse(".no"), "c": Selector.parse("a", many=True)}
    assert extract(PAGE, "utf-8", selectors) == {"a": "The Engine", "b": None, "c": ["A", "B", "C"]}


def test_values_are_read_in_the_page_s_encoding() -> None:
    """A value has the characters that the page shows."""
    assert pick("p", body="<p>日本".encode("shift_jis"), encoding="cp932") == "日本"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"<p title='a\0b'>a\0b", id="NUL"),
        pytest.param(b"<p title='a&#0;b'>a&#0;b", id="reference to NUL"),
        pytest.param(b"<p title='a&#xD800;b'>a&#xD800;b", id="reference to a surrogate"),
        pytest.param(b"<p title='a&#xDC00b'>a\xed\xa0\x80b", id="surrogate in UTF-8"),
        pytest.param(b"<p title='a\xffb'>a\xffb", id="bad byte"),
        pytest.param(b"<p title='a&#99999999999;b'>a&#99999999999;b", id="reference beyond Unicode"),
    ],
)
@pytest.mark.parametrize("written", ["p", "p@title"])
def test_values_of_hostile_pages_can_be_stored(body: bytes, written: str) -> None:
    """No value holds what UTF-8 or SQLite's JSON cannot carry."""
    value = pick(written, body=body)
    assert isinstance(value, str)
    assert value[:1] == "a"
    assert "\0" not in value
    assert json.loads(json.dumps(value, ensure_ascii=False).encode()) == value


def test_fields_of_pages_made_to_be_slow() -> None:
    """Whatever a page is made of, its fields are picked soon; matches within matches come at most a thousand times."""
    child = subprocess.run([sys.executable, "-m", "tests.test_fields"], capture_output=True, text=True, timeout=300)
    done = child.stdout.splitlines()
    names = [*bombs(1)][::6]
    assert done == names, f"stopped at {names[len(done) : len(done) + 1]}: {child.stderr[-500:]}"
    assert child.stderr == ""


@pytest.mark.parametrize("body", [b"http://example.org/", b"<?xml version='1.0'?><h1>x</h1>"])
def test_nothing_is_said_of_strange_pages(body: bytes, recwarn: pytest.WarningsRecorder) -> None:
    """That a page looks like a URL or like XML is nobody's business."""
    pick("h1", body=body)
    assert list(recwarn) == []


@pytest.mark.parametrize("body", [b"", b"<", b"<p", b"<!", b"<![CDATA[", b"</p>", b"\0", b"<p>" * 200])
def test_broken_pages_have_no_fields(body: bytes) -> None:
    """What is hardly a page has no fields, and raises nothing."""
    assert pick("h1", body=body) is None


if __name__ == "__main__":  # in a process of its own, of at most a minute of CPU for all
    resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
    for name, bomb in [*bombs(20_000).items()][::6]:
        found = extract(b"<h1>Early</h1>" + bomb, "utf-8", {"one": Selector("h1"), "all": Selector("p", many=True)})
        assert str(found["one"]).startswith("Early"), found["one"]
        print(name, flush=True)
