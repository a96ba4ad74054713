"""Files of queries and right pages: every form that is read, and one line for what is not."""

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from crawler import Item, UsageError, read_items
from crawler.judgements import Target

ONE = Item("bounded queue", (Target("http://h.test/q.html", "maxsize"),))
TWO = Item("threads", (Target("http://h.test/t.html"), Target("http://h.test/q.html")))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "items"


def test_tab_separated(file: Path) -> None:
    """A query and its URLs a line; empty lines, comments and ends of lines of other systems are no items."""
    file.write_text(
        "# of our own\n\nbounded queue\thttp://h.test/q.html#maxsize\r\n threads \t HTTP://H.TEST/t.html\t\thttp://h.test/./q.html\n"
    )
    assert read_items(file) == (ONE, TWO)


@pytest.mark.parametrize(
    "entry",
    [{"url": "http://h.test/q.html#maxsize"}, {"urls": ["http://h.test/q.html#maxsize"], "id": 7}],
    ids=["url", "urls"],
)
def test_json_lines(file: Path, entry: dict[str, object]) -> None:
    """An object a line, with one URL or a list; other keys are left alone."""
    file.write_text(f"\ufeff\n{json.dumps({'query': ' bounded queue ', **entry})}\n", encoding="utf-8")
    assert read_items(file) == (ONE,)


def test_grades(file: Path) -> None:
    """Grades by URL; what has grade 0 does not answer."""
    grades = {"http://h.test/t.html": 2, "http://h.test/q.html": 0.5, "http://h.test/no": 0}
    file.write_text(json.dumps({"query": "threads", "relevant": grades}))
    (item,) = read_items(file)
    assert item.targets == (Target("http://h.test/t.html", "", 2.0), Target("http://h.test/q.html", "", 0.5))


def test_anchors_are_decoded_and_line_ends_of_unicode_are_none(file: Path) -> None:
    """What a browser would look for; a query may hold U+2028."""
    file.write_text("a\u2028b\thttp://h.test/#caf%C3%A9\n", encoding="utf-8")
    assert read_items(file) == (Item("a\u2028b", (Target("http://h.test/", "café"),)),)


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """`-` is what is piped in, and named so in errors."""
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"a\thttp://h.test/\nb\n")))
    with pytest.raises(UsageError, match=r"^standard input:2: names no page that answers$"):
        read_items("-")


BROKEN = {
    "a query alone": ("x\n", "names no page that answers"),
    "no query": ("# c\n\thttp://h.test/\n", "its query is empty"),
    "no URL": ("x\tq.html\n", "'q.html' is not a URL that could be crawled"),
    "another scheme": ("x\tmailto:a@h.test\n", "'mailto:a@h.test' is not a URL that could be crawled"),
    "cut": ('{"query": "x"\n', "is not JSON"),
    "nested": ('{"query": ' + "[" * 100_000 + "\n", "is not JSON"),
    "a list": ('{"query": "x", "url": "http://h.test/"}\n[1]\n', "is not a JSON object"),
    "none": ('{"url": "http://h.test/"}\n', "has no query"),
    "a number": ('{"query": 1, "url": "http://h.test/"}\n', "has no query"),
    "empty": ('{"query": " ", "url": "http://h.test/"}\n', "its query is empty"),
    "url": ('{"query": "x", "url": ["http://h.test/"]}\n', "its url is not a text"),
    "urls": ('{"query": "x", "urls": "http://h.test/"}\n', "its urls is not a list"),
    "one of urls": ('{"query": "x", "urls": [null]}\n', "'None' is not a URL that could be crawled"),
    "relevant": ('{"query": "x", "relevant": []}\n', "its relevant is not an object of grades by URL"),
    "all 0": ('{"query": "x", "relevant": {"http://h.test/": 0}}\n', "names no page that answers"),
    **{
        f"grade {grade}": (
            f'{{"query": "x", "relevant": {{"http://h.test/": {grade}}}}}\n',
            "a grade is not a number from 0 to 100: ",
        )
        for grade in ("-1", "101", "NaN", "1e999", "true", '"2"', "null")
    },
}


@pytest.mark.parametrize(("text", "told"), BROKEN.values(), ids=BROKEN)
def test_a_broken_line(file: Path, text: str, told: str) -> None:
    """The file, the line and what is wrong with it, in one line; and a hint that shows both forms."""
    file.write_text(text)
    with pytest.raises(UsageError) as raised:
        read_items(file)
    assert str(raised.value).startswith(f"{file}:{text.count(chr(10))}: {told}")
    assert "\n" not in str(raised.value)
    assert "tab" in raised.value.hint
    assert '{"query": ' in raised.value.hint


@pytest.mark.parametrize("text", ["", "\n \t\n", "# nothing\n"])
def test_a_file_without_items(file: Path, text: str) -> None:
    """Nothing to evaluate is an error."""
    file.write_text(text)
    with pytest.raises(UsageError, match=r"holds no item$"):
        read_items(file)


def test_what_cannot_be_read(file: Path, tmp_path: Path) -> None:
    """A missing file, a folder, a name that none can have, and bytes that are no text."""
    for path in (file, tmp_path, "a\0b"):
        with pytest.raises(UsageError, match="cannot be read"):
            read_items(path)
    file.write_bytes(b"a\thttp://h.test/\nb\xff\thttp://h.test/\n")
    with pytest.raises(UsageError, match=r"items:2: is not UTF-8$"):
        read_items(file)
