"""Snippets: what is shown of a section, and what is marked in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.query import parse_query
from crawler.results import MARK, MARK_END
from crawler.snippets import Highlighter


def shown(query: str, text: str, lang: str = "en") -> str:
    return Highlighter(parse_query(query)).snippet(text, lang).replace(MARK, "[").replace(MARK_END, "]")


@pytest.mark.parametrize(
    ("query", "text", "lang", "expected"),
    [
        ("queue", "Queues and a queue, queued", "en", "[Queues] and a [queue], [queued]"),
        ("cafe", "Un CAFÉ et des cafés", "fr", "Un [CAFÉ] et des [cafés]"),
        ("chevaux", "le cheval, les chevaux", "fr", "le [cheval], les [chevaux]"),
        ("rewrit*", "rewriting of what is written", "en", "[rewriting] of what is written"),
        ("os.path.join", "use os.path.join, or join", "en", "use [os.path.join], or [join]"),
        ("C++", "C and C++", "en", "C and [C++]"),
        ("软件", "安装软件包", "zh", "安装[软件]包"),
        ("安装软件", "装软件安装", "zh", "[装软]件[安装]"),
        ('"pane pid"', "pid of a pane", "en", "[pid] of a [pane]"),
        ('"pane pid"', "a pane, a pane-PID", "en", "a [pane], a [pane-PID]"),
        ("zebra", "nothing of it", "en", "nothing of it"),
        ("x", "", "", ""),
    ],
)
def test_what_matches_is_marked(query: str, text: str, lang: str, expected: str) -> None:
    """Words in their forms, signs that belong to them, and pieces of scripts that are written without spaces."""
    assert shown(query, text, lang) == expected


def test_the_part_where_most_stands_together_is_shown() -> None:
    """It begins and ends between words, and says what was left out."""
    text = "queue " + "word " * 200 + "a thread and a queue here " + "word " * 200
    snippet = shown("thread queue", text)
    assert "[thread] and a [queue]" in snippet
    assert snippet.startswith("… word")
    assert snippet.endswith("word …")
    assert len(snippet) < 250


def test_a_phrase_is_shown_rather_than_its_words() -> None:
    """Wherever in the text it stands."""
    text = (
        "changed size of a dictionary during the iteration "
        + "word " * 200
        + "dictionary changed size during iteration."
    )
    assert "[dictionary changed size during iteration]" in shown('"dictionary changed size during iteration"', text)


def test_where_nothing_matches_a_sentence_is_shown() -> None:
    """What tells of the page first, then what is no menu."""
    menu = "Home | Contents | Index » "
    about = "Middleware is a framework of hooks into the processing of requests. It is light."
    assert Highlighter(parse_query("zebra")).snippet(menu + about, "en") == about
    told = "A description of this page, which its author wrote for it."
    assert Highlighter(parse_query("zebra")).snippet(menu + about, "en", told) == told
    assert Highlighter(parse_query("zebra")).snippet(menu, "en") == menu.strip()


def test_marks_of_a_page_are_none_of_ours() -> None:
    """A page that holds our private characters cannot highlight itself."""
    assert shown("zebra", f"{MARK}buy{MARK_END} zebra") == "buy [zebra]"


@pytest.mark.parametrize(
    "text",
    [
        "x " * 10_000,
        "x" * 20_000,
        "a. " * 7_000,
        "|" * 20_000,
        "foo bar " * 5_000,
        "漢字" * 20_000,
        "f" * 40_000,
        "foo" * 20_000,
    ],
)
def test_a_section_of_nothing_but_matches(text: str) -> None:
    """Its beginning is shown."""
    assert shown("foo bar 漢字 f*", text).replace("[", "").replace("]", "").removesuffix(" …") in text


@given(st.text(), st.text())
def test_no_query_and_no_text_is_too_much(query: str, text: str) -> None:
    """A snippet is a part of the text, whatever was asked."""
    plain = shown(query.replace("[", ""), text.replace("[", "").replace("]", ""))
    assert len(plain.replace("[", "").replace("]", "")) <= len(text) + 4
