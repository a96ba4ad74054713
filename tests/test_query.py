"""What a person types, taken apart."""

import random

import pytest

from crawler.query import (
    MAX_TERMS,
    VALUES,
    Filter,
    Query,
    Term,
    mended,
    misread,
    parse_filter,
    parse_query,
    telling,
    without_filters,
)


def shown(query: Query) -> str:
    """A query, written so that a test can be read: `a|b* +c -"d e" site:f`."""
    quoted = {"word": "{}", "phrase": '"{}"', "prefix": "{}*"}
    groups = [
        "+" * group[0].required + "|".join(quoted[term.kind].format(term.text) for term in group)
        for group in query.groups
    ]
    excluded = ["-" + quoted[term.kind].format(term.text) for term in query.excluded]
    filters = ["-" * one.excluded + f"{one.name}:{one.value}" for one in query.filters]
    return " ".join(groups + excluded + filters)


def check(query: Query) -> None:
    """What holds of every query."""
    for group in query.groups:
        assert group
        assert len({term.required for term in group}) == 1
    terms = [term for group in query.groups for term in group]
    assert len(terms) + len(query.excluded) + len(query.filters) <= MAX_TERMS
    assert terms or query.filters or not query.excluded
    for text in [term.text for term in (*terms, *query.excluded)]:
        assert any(map(str.isalnum, text))
        assert text == " ".join(text.split())
        assert not set('\0"') & set(text)
        text.encode()
    for one in query.filters:
        assert parse_filter(*one[:2], excluded=one.excluded) == one


HOSTILE = {
    "quote": '"',
    "quote in a word": 'a"b',
    "odd quotes": 'a "b c" "d',
    "empty quotes": '"" a ""',
    "quotes in a row": '"' * 1000,
    "parenthesis": "(",
    "AND": "AND",
    "OR": "a OR",
    "NOT": "NOT x",
    "NEAR": "NEAR(",
    "NEAR of two": "NEAR(a b, 5)",
    "star": "*",
    "prefix": "a*",
    "caret": "^a",
    "column": "col:x",
    "columns": "{a b} : c",
    "minus": "-x",
    "minus a column": "- col : x",
    "plus": "a + b",
    "hyphen": "a-b",
    "C++": "C++",
    "apostrophe": "don't",
    "at": "@x",
    "semicolon": "x'; DROP TABLE rows; --",
    "empty": "",
    "spaces": " \t\n ",
    "no-break space": "\u00a0a\u00a0b\u2003",
    "NUL": "a\0b",
    "only NUL": "\0",
    "emoji": "😀",
    "emoji in a word": "a😀b",
    "CJK": "日本語 文字",
    "combining": "\u0300a\u0300",
    "a number that is no digit": "½ ①",
    "right to left": "\u202eabc",
    "lone surrogate": "\ud800",
    "surrogate in a word": "a\udc00b",
    "10,000 words": " ".join(f"word{number}" for number in range(10_000)),
    "10,000 identifiers": " ".join(f"getUserName{number}_of_it" for number in range(10_000)),
    "1,000 phrases": " ".join(f'"phrase {number}"' for number in range(1000)),
    "5,000 parentheses": "(" * 5000,
    "a long word": "x" * 100_000,
    "a long identifier": "a_B" * 5000,
    "a long phrase": '"' + "x " * 10_000 + '"',
    "backslash": "\\",
    "percent": "100%",
    "underscores": "__init__ _",
    "signs": "+ - ++ -- +- -+ +a -+a",
    "operators": "OR AND OR AND | | OR",
    "1,000 operators": "OR " * 1000,
    "1,000 exclusions": "-ab " * 1000 + "c",
    "1,000 filters": "site:a.test path:/a " * 500,
    "a long site": "site:" + "a." * 9000,
    "a long path": "path:" + "\u65e5" * 19_000,
    "a long title": "title:" + '"' + "a " * 9000 + '"',
    "a filter with NUL": "title:\0 path:\0a",
    "a filter with a surrogate": "title:\ud800 site:\udc00a.test",
    "dates": "before:0000 after:9999-99-99 before:9999-12-31T23:59-14:00 after:0001-01-01T00:00+14:00",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_no_query_is_an_error(text: str) -> None:
    """Whatever is typed is a query, and it holds what a query may hold."""
    check(parse_query(text))


def test_no_mixture_is_an_error() -> None:
    """Neither is any mixture of what is special to the grammar, to FTS5 or to Unicode."""
    chance = random.Random(5)
    scraps = [*"\"aB_-( \0\ud800é日9*:😀'{}+^,.\n½|“", " AND ", " OR ", " NOT ", "NEAR(", "\u00ad", " site:", "title:"]
    for _ in range(5000):
        check(parse_query("".join(chance.choices(scraps, k=20))))


@pytest.mark.parametrize(
    "text",
    ["", "   ", '"', '""', '" "', "(((", "*", "-", "_", "😀", "\0", "\ud800", "...", "+-*/", "|", "-> ||"],
    ids=ascii,
)
def test_a_query_without_words_is_empty(text: str) -> None:
    """What holds no letter and no digit looks for nothing."""
    assert parse_query(text) == Query(text, (), (), ())


def test_a_query_is_values() -> None:
    """A query knows its text as typed, and its parts by name."""
    assert parse_query('tmux  C* -"pane  pid" -site:A.test') == Query(
        text='tmux  C* -"pane  pid" -site:A.test',
        groups=((Term("tmux", "word", False),), (Term("C", "prefix", False),)),
        excluded=(Term("pane pid", "phrase", False),),
        filters=(Filter("site", "a.test", True),),
    )


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("pane pid", "pane pid"),
        ("pid pane pid", "pid pane"),
        ('"pane  pid"', '+"pane pid"'),
        ('a"b c"', "a b c"),
        ('say "b c"d', 'say +"b c" d'),
        ('"b c', '+"b c"'),
        ('19" rack mount', "19 rack mount"),
        ("“a b” „c d“ «e f» ＂g＂", '+"a b" +"c d" +"e f" +"g"'),
        ("don’t", "don't"),
        ("a\u3000b\u00a0c\u2003d\0e", "a b c d e"),
        ("a\ud800b", "ab"),
        ("what is that? (a, b), c.", "what is that a b c"),
        ("+a b", "+a b"),
        ('+"a b" +c*', '+"a b" +c*'),
        ("+49 30", "+49 30"),
        ("a -bc", "a -bc"),
        ('a -"b c" -d*', 'a -"b c" -d*'),
        ("-bc a", "a -bc"),
        ("-bc", "-bc"),
        ("-bc -de*", "-bc -de*"),
        ('-"b c"', '+"b c"'),
        ("-bc site:a.test", "-bc site:a.test"),
        ("a -1 -L. -日", "a -1 -L -日"),
        ("a - b", "a b"),
    ],
)
def test_terms(text: str, parsed: str) -> None:
    """Words, phrases, prefixes, and the signs before them."""
    assert shown(parse_query(text)) == parsed


def test_a_lone_exclusion_is_a_word() -> None:
    """Where nothing is looked for, there is nothing to take from; the dash belongs to the word."""
    for text in ("-Wall", "-Wall -Wall"):
        assert parse_query(text).groups == ((Term("-Wall", "word", False),),)
    for text in ("gcc -Wall", "-Wall site:a.test", "site:a.test -Wall"):
        assert parse_query(text).excluded == (Term("Wall", "word", False),)


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("a OR b c", "a|b c"),
        ("a | b", "a|b"),
        ('"a b"|"c d"', '+"a b"|"c d"'),
        ("a OR b OR c", "a|b|c"),
        ("+a OR b", "+a|b"),
        ("a OR a", "a"),
        ("(a OR b) c", "a|b c"),
        ("a AND b c", "+a +b c"),
        ("a AND b OR c", "+a +b|c"),
        ("a OR b AND c", "+a|b +c"),
        ("a or b and c", "a or b and c"),
        ("a OR", "a OR"),
        ("OR a", "OR a"),
        ("AND", "AND"),
        ("sqlite AND", "sqlite AND"),
        ("a OR OR", "a|OR"),
        ("a OR AND b", "a|AND b"),
        ("a |", "a"),
        ("| a", "a"),
        ("a | | b", "a|b"),
        ("a OR -bc", "a -bc"),
        ("a -bc OR d", "a d -bc"),
        ("site:a.test OR site:b.test", "site:a.test site:b.test"),
        ("NOT NULL", "NOT NULL"),
        ("cats NOT dogs", "cats NOT dogs"),
        ("NEAR(a b, 5)", "NEAR(a b 5"),
    ],
)
def test_operators(text: str, parsed: str) -> None:
    """OR and AND between terms join them; everywhere else they are words, or nothing."""
    assert shown(parse_query(text)) == parsed


CODE = (
    "os.path.join", "--no-cache", "C++", "C#", "foo_bar", "getUserName", "don't", "#include", "@property", "__init__",
    "x[0]", "a->b", "/etc/passwd", "*args", "**kwargs", "foo()", "std::sort", "http://x", "a:b", "12:30", "a-b", "-1",
    "x'", "100%", "a*b", ".htaccess", "C:\\x", "$HOME", "a|b", "++i", "path::Path", "<div>", "&amp", "{id}", "-x",
)  # fmt: skip


@pytest.mark.parametrize("text", CODE)
def test_what_looks_like_code_is_one_word(text: str) -> None:
    """A token that is no syntax stays as it is written, alone and beside others."""
    word = (Term(text, "word", False),)
    assert parse_query(text).groups == (word,)
    assert word in parse_query(f"first {text} last").groups


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("pref*", "pref*"),
        ("os.pa*", "os.pa*"),
        ("_*", ""),
        ("x_*", "x_*"),
        ("(int*)", "(int*)"),
        ("2*", "2*"),
        ("a**", "a**"),
        ("*a*", "*a*"),
        ("C++*", "C++*"),
    ],
)
def test_a_star_at_the_end_is_a_prefix(text: str, parsed: str) -> None:
    """One star, behind a letter, a digit or an underscore; any other belongs to the word."""
    query = parse_query(text)
    assert shown(query) == parsed
    is_prefix = text in ("pref*", "os.pa*", "x_*", "2*")
    assert [term.kind for group in query.groups for term in group] == ["prefix" if is_prefix else "word"] * bool(parsed)


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("site:docs.A.test", "site:docs.a.test"),
        ("SITE:a.test", "site:a.test"),
        ("site:https://a.test:443/docs?x", "site:a.test"),
        ("site:http://me@a.test:8080", "site:a.test:8080"),
        ("site:a.test:8080", "site:a.test:8080"),
        ("site:[::1]:8080", "site:[::1]:8080"),
        ("site:*.a.test", "site:a.test"),
        ("site:a.test.", "site:a.test"),
        ("site:bücher.test", "site:xn--bcher-kva.test"),
        ("site:„a.test“", "site:a.test"),
        ("path:/docs/*.html", "path:/docs/*.html"),
        ("path:/x?id=1", "path:/x?id=1"),
        ("path:/wiki/C_(language)", "path:/wiki/C_(language)"),
        ("path:über%20x", "path:%C3%BCber%20x"),
        ('path:"a b"', "path:a%20b"),
        ('title:"release   notes"', "title:release notes"),
        ("-title:Draft", "-title:Draft"),
        ('-title:"a draft"', "-title:a draft"),
        ("+title:draft", "title:draft"),
        ("(title:a OR title:b)", "title:a title:b"),
        ("lang:EN", "lang:en"),
        ("lang:en, x", "x lang:en"),
        ("lang:pt_BR lang:zh-Hans-CN", "lang:pt lang:zh"),
        ("type:PDF", "type:pdf"),
        ("type:image/svg+xml", "type:image/svg+xml"),
        ("site:a.test site:a.test -site:a.test", "site:a.test -site:a.test"),
    ],
)
def test_filters(text: str, parsed: str) -> None:
    """A filter's value is taken as people write it, and comes in the form that the index file has."""
    assert shown(parse_query(text)) == parsed


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2025", "2025-01-01T00:00:00Z"),
        ("2025-03", "2025-03-01T00:00:00Z"),
        ("2025-03-31", "2025-03-31T00:00:00Z"),
        ("2025-03-31T12:30", "2025-03-31T12:30:00Z"),
        ("2025-03-31t12:30:59z", "2025-03-31T12:30:59Z"),
        ("2025-03-31T12:30:59.123456Z", "2025-03-31T12:30:59Z"),
        ("2025-03-31T00:30+01:00", "2025-03-30T23:30:00Z"),
        ("0001", "0001-01-01T00:00:00Z"),
    ],
)
def test_dates(written: str, instant: str) -> None:
    """A date is the instant at which it begins, in UTC and written as the index file has it."""
    for name in ("before", "after"):
        assert parse_query(f"{name}:{written}").filters == (Filter(name, instant, False),)
    assert parse_query(f'before:"{written.replace("T", " ")}"').filters == (Filter("before", instant, False),)


@pytest.mark.parametrize(
    "text",
    [
        "before:yesterday", "before:2025-02-30", "before:2025-13", "after:25", "after:2025-1", "after:20250101",
        "after:0000", "before:9999-12-31T23:59-14:00", "before:２０２５", "before:2025-03-31T25:00", "lang:python",
        "after:2025-03-31T12", "lang:c", "lang:1", "site:@[x", "site:/x", "site:%", "path::Path", "title::x",
        "type:a/b/c", "type:x=1", "name:x", "std::sort", "xsite:a.test",
    ],
)  # fmt: skip
def test_a_filter_that_is_none_is_text(text: str) -> None:
    """An unknown name or an impossible value makes a word."""
    assert shown(parse_query(text)) == text
    assert not parse_query(text).filters


def test_a_filter_without_value_is_text() -> None:
    """What is left of it is its name; a quoted value that is impossible is a phrase with it."""
    assert shown(parse_query("lang: x")) == "lang x"
    assert shown(parse_query('site:"" x')) == '+"site:" x'
    assert shown(parse_query('before:"the  end"')) == '+"before:the end"'
    assert shown(parse_query('x -before:"the end"')) == 'x -"before:the end"'
    assert shown(parse_query("x -before:noon")) == "x -before:noon"


def test_a_filter_by_its_name() -> None:
    """Other callers get the same values; none for a name or a value that there is not."""
    assert parse_filter("site", "HTTP://A.test/", excluded=True) == Filter("site", "a.test", True)
    assert parse_filter("after", "2025") == Filter("after", "2025-01-01T00:00:00Z", False)
    assert parse_filter("colour", "red") is None
    assert parse_filter("lang", " ") is None
    assert parse_filter("site", "\ud800") is None


def test_a_long_query_is_cut() -> None:
    """The first MAX_TERMS parts of a query count; what is looked for must be among them."""
    query = parse_query(" ".join(f'word{number} "phrase {number}"' for number in range(MAX_TERMS)))
    assert len(query.groups) == MAX_TERMS
    assert query.groups[0] == (Term("word0", "word", False),)
    cut = parse_query("-ab " * MAX_TERMS + "c")
    assert (cut.groups, cut.excluded) == (((Term("-ab", "word", False),),), ())


def test_what_is_no_filter_is_said() -> None:
    """A value that no filter can have makes text of it; what was never meant as one is not told of."""
    assert [token for token, _ in misread("x lang:french before:2026-13 lang:en std::sort 12:30 path:x")] == [
        "lang:french",
        "before:2026-13",
    ]
    assert dict(misread('-site:"a b"')) == {'-site:"a b"': VALUES["site"]}


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ('zebra site:a.test "a phrase" -lang:en', 'zebra "a phrase"'),
        ("lang:en", ""),
        ("lang:french zebra", "lang:french zebra"),
    ],
)
def test_a_query_without_its_filters(text: str, rest: str) -> None:
    """As it can be typed again."""
    assert without_filters(text) == rest


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("how do I create an index", "create index"),
        ("what is the use of it", "what is the use of it"),
        ("to be or not", "to be or not"),
        ("how do I +get a file", "+get file"),
        ('what does "how to" mean here', '+"how to" mean here'),
        (" ".join(f"word{number}" for number in range(24)) + " and the", None),
    ],
)
def test_the_words_of_every_question(text: str, rest: str | None) -> None:
    """They are left out where there are others, and the query is no longer than a question."""
    assert shown(telling(parse_query(text))) == (text if rest is None else rest)


def test_slips_are_mended_where_words_are_looked_for() -> None:
    """Not in a filter, nor in what must not occur, nor within another word."""
    better = {"queeue": "queue"}
    assert mended("queeue path:queeue -queeue", better) == "queue path:queeue -queeue"
    assert mended("queeues asyncio.queeue", better) == "queeues asyncio.queue"
