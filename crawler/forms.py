"""Words as they are looked for beside how they are written: by their stems, with the signs that belong to them.

FTS5's tokenizer drops signs, and knows no language but English. So each text gets a list of such forms, in a column of
its own, made of letters and of characters of private use, which are letters to the tokenizer and to nobody else.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from crawler.languages import has_stems, language_of, mark, spaced, stem, stems, uniform
from crawler.urls import name_in

# C++ and C#; #include, @property, $HOME. What is between letters, as in a mail address, is no part of a name.
_SIGNS: Final = "#@$+"
_AFTER: Final = re.compile(r"(?<![\w#@$])[#@$][A-Za-z_]\w{0,40}(?![\w$])")
_BEFORE: Final = re.compile(r"[A-Za-z]\w{0,9}(?:\+\+|#)(?![\w+#])")
_LONGEST: Final = 12
_PRIVATE: Final = {ord(sign): chr(0xE500 + ord(sign)) for sign in _SIGNS}
_MOST: Final = 1_000  # of a text that are looked at


def forms(text: str, lang: str, url: str = "") -> str:
    """The forms of the words of a text in a language, each once, with spaces between; few where it is English.

    With what the page at `url` is called in its address, where the text is that which opens it.
    """
    return " ".join(filter(None, (stems(text, lang), *dict.fromkeys(signed(text)), _named(url))))


def _named(url: str) -> str:
    return spaced(uniform("".join(char if char.isprintable() else " " for char in name_in(url))))


def stemmed(word: str, languages: Iterable[str]) -> list[str]:
    """The forms by which a word is found in texts of these languages, where they have stems."""
    return [f"{one}{mark(lang)}" for lang in languages if has_stems(lang) and (one := stem(word, lang))]


def readable(expression: str) -> str:
    """An expression of full text with what is private in it as a person reads it: `cheval` in French is `cheval/fr`."""
    signs = {ord(private): chr(sign) for sign, private in _PRIVATE.items()}
    return re.sub("[\ue200-\ue4ff]", lambda one: f"/{language_of(one[0])}", expression).translate(signs)


def signed(text: str) -> Iterator[str]:
    """The forms of the words in a text that have signs."""
    left = _MOST
    for sign in _SIGNS:
        at = text.find(sign)
        while at >= 0 and left:
            left -= 1
            if found := _AFTER.match(text, at) or _word_before(text, at):
                yield found[0].lower().translate(_PRIVATE)
            at = text.find(sign, at + 1)


def _word_before(text: str, at: int) -> re.Match[str] | None:
    """The word whose sign stands at a place."""
    start = at
    while start > max(0, at - _LONGEST) and (text[start - 1].isalnum() or text[start - 1] == "_"):
        start -= 1
    return _BEFORE.match(text, start) if start < at else None
