"""Shapes of URLs: what is one kind of page, what repeats itself, and what is a session's."""

import pytest

from crawler.shapes import STEP, Crowds, repetition, shape, without_session


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/cal?y=2026&m=11", "/cal?m=1&y=1999"),
        ("/questions/1/how-to-boil-an-egg", "/questions/20000/why-is-the-sky-blue"),
        ("/2026/11/05/", "/1999/1/1/"),
        ("/o/550e8400-e29b-41d4-a716-446655440000", "/o/8f3a9c2b1d"),
        ("/p?a=1&a=2&a=3", "/p?a=x"),
        ("/g/a/b/a/c", "/g/c/b/b/a/a"),
    ],
)
def test_one_shape(one: str, other: str) -> None:
    """Numbers, dates, ids, titles and values make no difference, nor does what a path says twice."""
    assert shape(f"http://h{one}") == shape(f"http://h{other}")


@pytest.mark.parametrize(
    ("one", "other"),
    [("/about", "/contact"), ("/a?x=1", "/a?y=1"), ("/a?x=1", "/a"), ("/x/deadbeef", "/x/cafebabe"), ("/a/b", "/b/a")],
)
def test_two_shapes(one: str, other: str) -> None:
    """Words are what a page is named by."""
    assert shape(f"http://h{one}") != shape(f"http://h{other}")
    assert shape(f"http://h{one}") != shape(f"http://other{one}")


@pytest.mark.parametrize(
    ("path", "repeated"),
    [
        ("/a/a/a", "a"),
        ("/x/a/b/a/b/a/b/y", "a/b"),
        ("/a//a/a/", "a"),
        ("/n/a/n/b/n/c/n/d/n", "n"),
        ("/a/b/a/b", ""),
        ("/a/b/a", ""),
        ("/node_modules/a/node_modules/b/node_modules/c", ""),
        ("/2011/11/11/11", ""),
        ("/tiles/3/3/3/3/3/3.png", ""),
        ("/?a/a/a/a", ""),
    ],
)
def test_repetition(path: str, repeated: str) -> None:
    """Three times in a row, or five times anywhere; numbers may."""
    assert repetition(f"http://h{path}") == repeated


@pytest.mark.parametrize(
    ("path", "without"),
    [
        ("/a?PHPSESSID=0123456789abcdefghijklmnop", "/a"),
        ("/a;jsessionid=ABCDEF.node1?x=1", "/a?x=1"),
        ("/a?x=1&sid=0123456789abcdef0123456789abcdef&y=2", "/a?x=1&y=2"),
        ("/a?y=2&SID=0123456789abcdef0123456789abcdef", "/a?y=2"),
        ("/?s=internationalization-of-all", "/?s=internationalization-of-all"),
        ("/a?sid=5&id=0123456789abcdef0123456789abcdef", "/a?sid=5&id=0123456789abcdef0123456789abcdef"),
        ("/a?grassid=0123456789abcdef0123456789abcdef", "/a?grassid=0123456789abcdef0123456789abcdef"),
    ],
)
def test_sessions(path: str, without: str) -> None:
    """The id of a session is dropped, wherever it stands; what is not clearly one stays."""
    assert without_session(f"http://h{path}") == f"http://h{without}"


def test_of_a_crowd_the_later_ones_wait_longer() -> None:
    """The first few of a shape are as near as they are; each few more are one depth further; rare ones never are."""
    crowds = Crowds()
    many = [(number, f"http://h/item/{number}") for number in range(3 * STEP)]
    later = dict(crowds.add([*many, (1000, "http://h/about"), (1001, "http://h/item")]))
    assert [later.get(number, 0) for number, _ in many] == [number // STEP for number in range(3 * STEP)]
    assert not {1000, 1001} & set(later)


def test_crowds_are_remembered() -> None:
    """What was known of URLs before an interruption counts on."""
    crowds = Crowds([("http://h/item/77", 5)])
    assert crowds.add([(1, "http://h/item/78")]) == [(1, 6)]
