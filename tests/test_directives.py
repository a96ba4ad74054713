"""What pages ask of robots, and what they say of other uses: values of headers and metas in, directives out."""

import pytest

from crawler.directives import directives, unwanted, wishes


@pytest.mark.parametrize(
    ("value", "asked"),
    [
        ("", set()),
        (" NoIndex ,,follow", {"noindex", "follow"}),
        ("noindex nofollow", {"noindex", "nofollow"}),
        ("none", {"none", "noindex", "nofollow"}),
        ("max-snippet: 20, noindex", {"max-snippet:20", "noindex"}),
        ("otherbot: noindex, nofollow", set()),
        ("otherbot: noindex, Crawler: nofollow, noarchive", {"nofollow", "noarchive"}),
        ("otherbot: noindex\nnofollow", {"nofollow"}),
        ("crawler: none", {"none", "noindex", "nofollow"}),
        ("crawler: unavailable_after: 2030-01-02, noarchive", {"unavailable_after:2030-01-02t00:00:00z", "noarchive"}),
        ("otherbot: unavailable_after: 2010-01-01", set()),
        ("unavailable_after: 25 Jun 2010 15:00:00 PST", {"unavailable_after:2010-06-25t23:00:00z"}),
        (
            "unavailable_after: Friday, 25-Jun-10 15:00:00 UTC, noindex",
            {"unavailable_after:2010-06-25t15:00:00z", "noindex"},
        ),
        ("unavailable_after: 2010-06-25T15:00:00+02:00", {"unavailable_after:2010-06-25t13:00:00z"}),
        ("unavailable_after: soon, noindex", {"noindex"}),
        ("unavailable_after: 99999999999-01-01", set()),
        (":,::,\n:", set()),
    ],
)
def test_directives(value: str, asked: set[str]) -> None:
    """Those for everybody and those for us by name, whoever else is named; dates in any usual form."""
    assert directives(value, "crawler") == asked


def test_when_a_page_is_unwanted() -> None:
    """By noindex, and by unavailable_after once its time has come."""
    asked = directives("unavailable_after: 2026-06-01T12:00:00Z, nofollow")
    assert unwanted(asked, "2026-06-01T11:59:59Z") is None
    assert unwanted(asked, "2026-06-01T12:00:00Z") == "unavailable_after:2026-06-01t12:00:00z"
    assert unwanted({"noindex"}, "2026-06-01T12:00:00Z") == "noindex"


def test_wishes_about_other_uses() -> None:
    """Headers and metas of AI preferences and of text and data mining, and directives, in one line."""
    named = {"content-usage": "train-ai=n,\n search=y", "tdm-reservation": "1", "other": "x"}
    assert wishes({"noai", "noindex"}, named) == "content-usage: train-ai=n, search=y; tdm-reservation: 1; noai"
    assert wishes((), {}) == ""
