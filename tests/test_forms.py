"""Words by their stems and with their signs."""

import pytest

from crawler.forms import forms, readable, signed, stemmed
from crawler.languages import mark


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("C++ is older than C# and c++", 3),
        ("#include <stdio.h> and @property, $HOME", 3),
        ("a + b, a # comment, user@example.org, x += 1, ++i, page.html#top, &#39;", 0),
        ("+++ ### @@@ $$$ C+++ C## #", 0),
        ("", 0),
    ],
)
def test_words_with_signs(text: str, count: int) -> None:
    """Signs that belong to a name make a form of it, in letters of private use; others do not."""
    found = list(signed(text))
    assert len(found) == count
    assert all(one.isascii() is False and not set(one) & set("#@$+") for one in found)


def test_a_word_with_signs_has_one_form() -> None:
    """In whichever case it is written, and it is that of no other word."""
    assert list(signed("C++")) == list(signed("in c++, ...")) != list(signed("C#"))


def test_forms_of_a_text_and_of_a_query_meet() -> None:
    """A word is looked for by the stem that a text of its language has, and by none in a language without."""
    assert set(stemmed("chevaux", ("fr", "ja", "en"))) <= set(forms("Le cheval de C++", "fr").split())
    assert stemmed("chevaux", ("ja", "en")) == []
    assert mark("fr") not in forms("Le cheval", "en")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://h/c3ref/blob_open.html", "blob_open"),
        ("http://h/guide/index.html?x=1", "guide"),
        ("http://h/", ""),
        ("http://h/a%00b%ff%20c", "a b\ufffd c"),
        ("http://h/%E5%AE%89%E8%A3%85", "\u200b安\u200b装\u200b"),
    ],
)
def test_what_the_address_calls_a_page(url: str, name: str) -> None:
    """Its last part that says something, as the index has texts."""
    assert forms("plain words", "en", url) == name


def test_what_is_private_can_be_read() -> None:
    """In an explanation, languages and signs stand as a person writes them."""
    assert readable(" ".join([*stemmed("chevaux", ("fr", "de")), *signed("C++ #include")])) == (
        "cheval/fr chevaux/de #include c++"
    )


def test_a_text_full_of_signs_takes_no_time() -> None:
    """Of a million signs the first ones are looked at."""
    assert len(list(signed("#a " * 1_000_000))) == 1_000
