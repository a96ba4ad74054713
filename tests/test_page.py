"""What a page says: its title, its sections and where they open, its words, its links."""

import random

import pytest

from crawler.page import MAX_LINK_TEXT, MAX_LINKS, Link, Page, Section, directives, parse

URL = "https://example.org/docs/guide.html"
MARKS = "\x01\x02"


def page(
    html: str | bytes, content_type: str = "text/html; charset=utf-8", *, url: str = URL, clean: bool = True
) -> Page:
    return parse(html if isinstance(html, bytes) else html.encode(), url, content_type, clean=clean)


def plain(text: str | bytes, url: str = URL) -> Page:
    return page(text, "text/plain; charset=utf-8", url=url)


def words(html: str) -> str:
    """The whole text of a page that is one section without a heading."""
    sections = page(html).sections
    assert [section.heading for section in sections] == [""] * len(sections)
    return " ".join(section.text for section in sections)


def section(html: str, heading: str) -> Section:
    (found,) = [part for part in page(html).sections if part.heading == heading]
    return found


def targets(html: str) -> list[str]:
    return [link.url + (f"#{link.fragment}" if link.fragment else "") for link in page(html).links]


class TestHead:
    @pytest.mark.parametrize(
        ("html", "url", "title"),
        [
            pytest.param("<title> The \n Guide </title><h1>H</h1>", URL, "The Guide", id="title"),
            pytest.param("<title>Fish &amp; chips</title>", URL, "Fish & chips", id="title with a reference"),
            pytest.param(
                "<title></title><meta property=og:title content=Shared><h1>H</h1>",
                URL,
                "Shared",
                id="og:title",
            ),
            pytest.param("<p>x<h2>First</h2><h1>Second</h1>", URL, "First", id="first heading"),
            pytest.param("<p>x", URL, "guide.html", id="file name"),
            pytest.param("<p>x", "https://example.org/a/b/", "b", id="folder name"),
            pytest.param("<p>x", "https://example.org/", "example.org", id="host"),
        ],
    )
    def test_title(self, html: str, url: str, title: str) -> None:
        """Every page has a title: its own, or the best that stands in for one."""
        assert page(html, url=url).title == title

    @pytest.mark.parametrize(
        ("html", "lang"),
        [
            ("<html lang=en>", "en"),
            ("<html lang=en-GB>", "en"),
            ("<html lang='DE_at '>", "de"),
            ("<html xml:lang=fr-CA>", "fr"),
            ("<html lang=''>", ""),
            ("<html>", ""),
        ],
    )
    def test_lang(self, html: str, lang: str) -> None:
        """The language is the primary subtag of what the page declares, in lower case."""
        assert page(f"{html}<body>x").lang == lang

    @pytest.mark.parametrize(
        ("metas", "description"),
        [
            ("<meta name=description content=' A  guide. '>", "A guide."),
            ("<meta name=DESCRIPTION content='A guide.'>", "A guide."),
            ("<meta property=og:description content=Shared>", "Shared"),
            ("<meta property=og:description content=Shared><meta name=description content=Own>", "Own"),
            ("<meta name=description content=First><meta name=description content=Second>", "First"),
            ("<meta name=description>", ""),
            ("", ""),
        ],
    )
    def test_description(self, metas: str, description: str) -> None:
        """The description is the page's own, or that for sharing it."""
        assert page(f"<head>{metas}</head>x").description == description

    @pytest.mark.parametrize(
        ("head", "canonical"),
        [
            ("<link rel=canonical href=/c?x#f>", "https://example.org/c?x"),
            ("<link rel=canonical href=other.html>", "https://example.org/docs/other.html"),
            ("<base href=/v2/><link rel=canonical href=other.html>", "https://example.org/v2/other.html"),
            ("<link rel=canonical href=HTTPS://Example.ORG:443>", "https://example.org/"),
            ("<link rel=canonical href=javascript:alert(1)>", ""),
            ("<link rel=canonical href='http://['>", ""),
            ("<link rel=stylesheet href=/c>", ""),
        ],
    )
    def test_canonical(self, head: str, canonical: str) -> None:
        """The canonical URL is resolved and normalised, and empty when it is none."""
        assert page(f"<head>{head}</head>x").canonical == canonical

    @pytest.mark.parametrize(
        ("metas", "robots"),
        [
            pytest.param("<meta name=robots content=noindex>", {"noindex"}, id="one"),
            pytest.param("<meta name=ROBOTS content='NoIndex, follow'>", {"noindex", "follow"}, id="two in any case"),
            pytest.param("<meta name=robots content='noindex nofollow'>", {"noindex", "nofollow"}, id="no comma"),
            pytest.param("<meta name=robots content=none>", {"none", "noindex", "nofollow"}, id="none is both"),
            pytest.param("<meta name=Crawler content=nofollow>", {"nofollow"}, id="to us by name"),
            pytest.param(
                "<meta name=robots content=noindex><meta name=crawler content=nofollow>",
                {"noindex", "nofollow"},
                id="to all and to us",
            ),
            pytest.param("<meta name=otherbot content=noindex>", set(), id="to another"),
            pytest.param("", set(), id="nothing"),
        ],
    )
    def test_meta_robots(self, metas: str, robots: set[str]) -> None:
        """Directives hold that are addressed to all robots or to us."""
        assert page(f"<head>{metas}</head>x").robots == robots

    def test_meta_robots_by_the_name_of_another_agent_of_ours(self) -> None:
        """Who crawls under another name is addressed by that name."""
        body = b"<meta name=mybot content=noindex><meta name=crawler content=nofollow>x"
        assert parse(body, URL, agent="MyBot").robots == {"noindex"}

    def test_directives_of_a_header(self) -> None:
        """The value of X-Robots-Tag reads like that of the meta element."""
        assert directives(" NoIndex ,,nofollow") == {"noindex", "nofollow"}
        assert directives("") == frozenset()


class TestSections:
    def test_headings_cut_a_page_into_sections(self) -> None:
        """Each heading starts a section of its level, in the order of the page."""
        html = "<p>intro<h1>One</h1><p>a<h2 id=x>Two</h2>b<h3 id=y>Three</h3>c<h6 id=z>Six</h6>d"
        assert [(part.level, part.heading, part.text) for part in page(html).sections] == [
            (0, "", "intro"),
            (1, "One", "a"),
            (2, "Two", "b"),
            (3, "Three", "c"),
            (6, "Six", "d"),
        ]

    @pytest.mark.parametrize(
        "html",
        [
            pytest.param("<h2 id=it>Part</h2>text", id="its own id"),
            pytest.param("<h2><a name=it></a>Part</h2>text", id="a name inside"),
            pytest.param("<h2><a id=it href=x>Part</a></h2>text", id="a id inside"),
            pytest.param("<h2><span id=it></span>Part</h2>text", id="span id inside"),
            pytest.param("<a id=it></a><h2>Part</h2>text", id="a id right before"),
            pytest.param("<a name=it></a>\n<h2>Part</h2>text", id="a name before and a line break"),
            pytest.param("<span id=it></span><h2>Part</h2>text", id="span id right before"),
            pytest.param("<p><a id=it></a></p><h2>Part</h2>text", id="anchor in a paragraph before"),
            pytest.param("<section id=it><h2>Part</h2>text</section>", id="the section around it"),
            pytest.param("<div id=it>\n<h2>Part</h2>text</div>", id="the div around it"),
            pytest.param("<article id=it><h2>Part</h2>text</article>", id="the article around it"),
            pytest.param(
                "<div class=sect1 id=it><div class=titlepage><div><div><h2>Part</h2></div></div></div>text</div>",
                id="DocBook's title page",
            ),
        ],
    )
    def test_where_a_heading_s_section_opens(self, html: str) -> None:
        """A section opens at the fragment that leads to its heading, however the page writes it."""
        found = section(f"<h1>Title</h1><p>intro</p>{html}", "Part")
        assert (found.anchor, found.text) == ("it", "text")
        assert "it" in found.ids

    def test_a_section_s_id_is_not_that_of_its_second_heading(self) -> None:
        """The id of an enclosing element leads to its first heading only."""
        html = "<h1>T</h1><section id=s><h2>One</h2>a<h2>Two</h2>b</section>"
        assert section(html, "One").anchor == "s"
        assert section(html, "Two").anchor == ""

    def test_an_element_that_begins_with_words_is_not_named_by_a_later_heading(self) -> None:
        """However many elements are between: what stands before the heading belongs to the id as well."""
        html = "<h1>T</h1><div id=s><p>words</p><div><div><h2>One</h2>a</div></div></div>"
        assert section(html, "One").anchor == ""

    def test_all_fragments_of_a_heading_lead_to_it(self) -> None:
        """The heading's own id is where its section opens, and the others are known too."""
        found = section("<h1>T</h1><section id=d><a id=c></a><h2 id=a><a name=b></a>Part</h2>x</section>", "Part")
        assert found.anchor == "a"
        assert found.ids[0] == "a"
        assert sorted(found.ids) == ["a", "b", "c", "d"]

    def test_a_given_name_is_a_better_anchor_than_one_made_from_the_heading(self) -> None:
        """Slugs change with their headings, and numbers with every edition; all of them stay known."""
        html = "<h1>T</h1><a name=ccw></a><h2 id=the_ccw_j_function><a id=index-4></a>3.1. The ccw(J) Function</h2>x"
        found = section(html, "3.1. The ccw(J) Function")
        assert (found.anchor, sorted(found.ids)) == ("ccw", ["ccw", "index-4", "the_ccw_j_function"])

    def test_the_page_s_own_heading_opens_the_page(self) -> None:
        """The first h1 has no anchor, though its id is known; a second h1 is a place on the page."""
        html = "<h1 id=top>Title</h1>a<h1 id=more>More</h1>b"
        assert (section(html, "Title").anchor, section(html, "Title").ids) == ("", ("top",))
        assert section(html, "More").anchor == "more"

    def test_a_heading_without_a_fragment_has_no_anchor(self) -> None:
        """What no fragment leads to opens at the top of the page."""
        found = section("<h1>T</h1>a<h2>Part</h2>b", "Part")
        assert (found.anchor, found.ids) == ("", ())

    def test_a_heading_without_text_below_is_a_section(self) -> None:
        """A heading alone can be found."""
        assert section("<h1>T</h1><h2 id=a>Alone</h2><h2 id=b>Next</h2>x", "Alone").text == ""

    def test_a_definition_is_a_section(self) -> None:
        """An entry of a definition list with an id opens at it, with its definition as text."""
        found = section("<h1>T</h1>x<dl><dt id=opt-v><code>-v</code></dt><dd>Says more.</dd></dl>", "-v")
        assert (found.level, found.anchor, found.text) == (7, "opt-v", "Says more.")

    def test_a_definition_without_an_id_is_text(self) -> None:
        """What cannot be opened is no section."""
        assert words("<dl><dt>-v</dt><dd>Says more.</dd></dl>") == "-v Says more."

    @pytest.mark.parametrize("anchor", ["<a name=tip></a>", "<a id=tip></a>"])
    def test_a_named_anchor_is_a_section(self, anchor: str) -> None:
        """Text behind a named anchor opens at it."""
        sections = page(f"<h1>T</h1><p>before</p><p>{anchor}after</p>").sections
        assert [(part.level, part.anchor, part.text) for part in sections] == [
            (1, "", "before"),
            (7, "tip", "after"),
        ]

    @pytest.mark.parametrize("generated", ["id3", "index-5", "footnote-1", "fn12", "ref-2", "42", "_1.2"])
    def test_generated_anchors_are_no_sections(self, generated: str) -> None:
        """An anchor that a tool numbered is not what a person would open."""
        (only,) = page(f"<p>before</p><p><a name={generated}></a>after</p>").sections
        assert only.text == "before after"

    def test_a_link_with_an_id_is_no_section(self) -> None:
        """An anchor that leads elsewhere does not start a part of the page."""
        assert len(page("<p>before</p><p><a id=l href=x>link</a> after</p>").sections) == 1

    def test_lead_terms(self) -> None:
        """Code or bold words that open a paragraph, a cell or an item are its terms, each once; later ones are not."""
        html = """<h1>T</h1><p><code>pane_pid</code> is a number, unlike <code>pane_id</code>.</p>
            <ul><li><b>Bold</b> one<li><a href=x><code>call()</code></a> two<li><strong>Bold</strong> again</ul>
            <table><tr><td><code>cell</code><td>plain</table><p>no terms</p>"""
        assert page(html).sections[0].terms == ("pane_pid", "Bold", "call()", "cell")

    def test_a_word_that_is_only_mentioned_is_no_term(self) -> None:
        """A release note names what a manual defines; what is empty stands before nothing."""
        html = "<ul><li>Add the function <code>crc()</code><li><a href=x></a> <code>sum()</code> adds</ul>"
        assert [part.terms for part in page(html).sections] == [("sum()",)]

    def test_what_may_be_words_before_a_term_is_not_looked_through_to_its_end(self) -> None:
        """An empty element before a word leaves it the first; one full of others, words or not, does not."""
        html = "<h2>H</h2><p><i><u></u></i><b>First</b><p><span>" + "<i></i>" * 200 + "</span><b>Second</b>"
        assert section(html, "H").terms == ("First",)

    def test_a_bold_sentence_is_no_term(self) -> None:
        """What is longer than a term is text only."""
        (only,) = page(f"<p><b>{'very ' * 30}bold</b> text").sections
        assert only.terms == ()
        assert only.text.endswith("very bold text")

    @pytest.mark.parametrize("sign", ["¶", "#", "§", "🔗", "\uf0c1"])
    def test_permalinks_are_not_words(self, sign: str) -> None:
        """The sign that links a heading to itself is part of neither heading nor links."""
        found = page(f"<h1>T</h1>x<h2 id=part>Part<a href=#part>{sign}</a></h2>text")
        assert found.sections[1].heading == "Part"
        assert found.links == ()

    def test_nested_headings(self) -> None:
        """A heading within a heading costs no words, and leaves nothing of ours in the text."""
        found = page("<h2 id=a>Outer<div><h3 id=b>Inner</h3></div></h2>after")
        assert found.text.split() == ["Outer", "Inner", "after"]

    def test_page_text(self) -> None:
        """The text of a page is its headings and texts in order."""
        assert page("<p>intro<h1>One</h1>a<h2>Two</h2><h2>Three</h2>c").text == "intro\nOne\na\nTwo\nThree\nc"


class TestWords:
    @pytest.mark.parametrize(
        "chrome",
        [
            "<nav>gone</nav>",
            "<header>gone</header>",
            "<footer>gone</footer>",
            "<div><footer>gone</footer></div>",
            "<script>gone</script>",
            "<style>gone</style>",
            "<template>gone</template>",
            "<noscript>gone</noscript>",
            "<svg><text>gone</text></svg>",
            "<select><option>gone</select>",
            "<div role=navigation>gone</div>",
            "<ul role=navigation><li>gone</ul>",
            "<div role=banner>gone</div>",
            "<form role=search>gone</form>",
            "<div hidden>gone</div>",
            "<section hidden>gone</section>",
            "<!-- gone -->",
        ],
    )
    def test_what_is_around_the_content_is_no_text(self, chrome: str) -> None:
        """Navigation, page header and footer, scripts and hidden parts are not words of the page."""
        assert words(f"<p>before</p>{chrome}<p>after</p>") == "before after"

    @pytest.mark.parametrize("part", ["article", "main", "section", "aside", "td"])
    @pytest.mark.parametrize("kind", ["header", "footer"])
    def test_the_header_of_a_part_is_content(self, part: str, kind: str) -> None:
        """A header or footer inside an article is the article's own."""
        html = f"<{part}><div><{kind}>kept</{kind}></div>body</{part}>"
        assert words(f"<table><tr>{html}</table>" if part == "td" else html) == "kept body"

    def test_a_header_that_holds_the_title_is_content(self) -> None:
        """A page header with the page's h1 is kept."""
        assert section("<header><h1>Title</h1></header><p>text", "Title").text == "text"

    def test_a_page_of_navigation_only_keeps_its_text(self) -> None:
        """When everything is navigation, that is what the page says."""
        assert words("<nav>Home <a href=/x>Next</a></nav><script>no</script>") == "Home Next"

    def test_uncleaned_pages_keep_navigation(self) -> None:
        """Without cleaning, navigation is text and scripts still are not."""
        assert page("<nav>Home</nav><p>text<script>no</script>", clean=False).text == "Home text"

    def test_navigation_still_links(self) -> None:
        """What is not text can still lead somewhere."""
        assert targets("<nav><a href=/next>Next</a></nav><p>x") == ["https://example.org/next"]

    @pytest.mark.parametrize(
        ("html", "text"),
        [
            ("<p>a</p><p>b</p>", "a b"),
            ("<div>a</div>b<div>c</div>", "a b c"),
            ("<ul><li>a</li><li>b</li></ul>", "a b"),
            ("<table><tr><td>a</td><td>b</td></tr><tr><th>c</th></tr></table>", "a b c"),
            ("a<br>b", "a b"),
            ("a<hr>b", "a b"),
            ("a<pre>b\nc</pre>d", "a b c d"),
            ("a<code>b</code>c", "a b c"),
            ("<dl><dt>a</dt><dd>b</dd></dl>", "a b"),
            ("<button>a</button><button>b</button>", "a b"),
            ("a<nav>menu</nav>b", "a b"),
            ("<div>a<select><option>1</select>b<svg></svg>c</div>", "a b c"),
        ],
    )
    def test_words_are_kept_apart(self, html: str, text: str) -> None:
        """Blocks, cells, code, line breaks and what is taken out separate words."""
        assert words(html) == text

    @pytest.mark.parametrize(
        ("html", "text"),
        [
            ("un<b>believ</b>able", "unbelievable"),
            ("un<em>believ</em>able", "unbelievable"),
            ("<span>T</span><span>itle</span>", "Title"),
            ("long<wbr>word", "longword"),
            ("a<i><b>b</b></i>c", "abc"),
            ("see <a href=x>here</a>.", "see here."),
            ("a <b> b </b> c", "a b c"),
            ("a<!-- -->b", "ab"),
            ("a<script>x()</script>b", "ab"),
        ],
    )
    def test_words_are_kept_together(self, html: str, text: str) -> None:
        """Inline markup within a word does not cut it."""
        assert words(f"<p>{html}</p>") == text

    def test_whitespace_is_single_spaces(self) -> None:
        """Line breaks, tabs and no-break spaces are one space each run."""
        assert words("<p>a \n\t b&nbsp;&nbsp;c\u2003d") == "a b c d"

    def test_what_is_too_long_to_be_a_word_is_dropped(self) -> None:
        """200 characters are a word, 201 are data."""
        assert words(f"<p>a {'x' * 200} {'y' * 201} b") == f"a {'x' * 200} b"

    def test_nul_and_surrogate_references(self) -> None:
        """What UTF-8 and SQLite cannot carry never comes out of a page."""
        found = page(
            "<title>a&#0;b&#xD800;</title><h1>c\0d&#xDFFF;</h1>e&#xD83D;&#xDE00; f\0 <a href='/x&#xD800;'>g</a>"
        )
        for text in (found.title, found.text, *(link.url + link.text for link in found.links)):
            assert "\0" not in text
            assert text.encode()
        assert "e" in found.text

    def test_invalid_utf_8_costs_its_own_characters_only(self) -> None:
        """Bytes that are no UTF-8 become U+FFFD, and what is around them is read."""
        assert words_of(page(b"<p>good \xff\xed\xa0\x80 still good")) == ["good", "still", "good"]

    @pytest.mark.parametrize(
        "html",
        [
            pytest.param("<h1>A</h1>a {} b<h2 id=z>Z</h2>c", id="in the text"),
            pytest.param("<h1>A {} B</h1>a<h2 id=z>Z</h2>c", id="in a heading"),
            pytest.param("<p><code>a {} b</code> c", id="in a term"),
            pytest.param("<dl><dt id=a>{}</dt><dd>b {}</dd></dl>", id="in a definition"),
        ],
    )
    @pytest.mark.parametrize("mark", [*MARKS, MARKS, MARKS[::-1] * 2, "&#1;&#2;&#2;", "&#2;&#1;"], ids=ascii)
    def test_marks_of_a_hostile_page(self, html: str, mark: str) -> None:
        """A page that writes our own marks can spoil its own sections, and none of the marks gets out."""
        found = page(html.replace("{}", mark))
        for part in found.sections:
            assert not set("".join((part.heading, part.text, *part.terms))) & set(MARKS)

    def test_marks_of_a_hostile_text_file(self) -> None:
        """Plain text is freed of our marks too."""
        assert plain(f"one {MARKS} two {MARKS[::-1]} three").sections[0].text.split() == [
            "one",
            "two",
            "three",
        ]

    @pytest.mark.parametrize(
        "html", ["", "   ", "\0", "<html>", "<body></body>", "<frameset></frameset>", "<!doctype html>", "<"]
    )
    def test_pages_that_say_nothing(self, html: str) -> None:
        """A page without a body has a title of its URL, and nothing else."""
        found = page(html)
        assert found.title == "guide.html"
        assert found.links == ()
        assert found.text.strip("<") == ""

    def test_tag_soup_never_raises(self) -> None:
        """However broken the markup is, a page comes out of it that UTF-8 can carry."""
        chance = random.Random(1)
        soup = "<h1 id=a>|</h2>|<h3>|<a name=x>|</a>|<a href='#'>|¶|<dt id=q>|<dl>|</dl>|<nav>|<header>|<table>"
        soup += "|<td>|<p>|<b>|</b>|<code>|word |\0|&#xD800;|<base href='http://['>|<a href='http://['>|<a href='?q'>"
        soup += "|<wbr>|<iframe src=''>|<svg>|<math>|<template>|<body>|<html lang=''>|<frameset>|<title>|<script>"
        soup += "|</script>|<select>|<!--|-->|<section id=s>|<span id=t>|<meta http-equiv=refresh content=';'>"
        soup += "|<meta content=x name>|<plaintext>|<link rel=canonical href=''>"
        for _ in range(300):
            html = "".join(chance.choices(soup.split("|"), k=25))
            for clean in (True, False):
                found = page(html, clean=clean)
                assert found.title.encode()
                found.text.encode()


def words_of(found: Page) -> list[str]:
    return [word for word in found.text.split() if "\ufffd" not in word]


class TestEncodings:
    @pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-8"])
    def test_byte_order_marks(self, encoding: str) -> None:
        """A page that begins with a byte order mark is read in the encoding that it tells."""
        found = page("\ufeff<title>Grüße</title><h1>日本</h1>€".encode(encoding), "text/html")
        assert (found.title, found.text, found.encoding) == ("Grüße", "日本\n€", encoding)

    @pytest.mark.parametrize(
        ("encoding", "declared"), [("shift_jis", "Shift_JIS"), ("euc-jp", "EUC-JP"), ("gb18030", "gb2312")]
    )
    def test_legacy_encodings(self, encoding: str, declared: str) -> None:
        """A page of an older encoding is read by what the header or the page declares."""
        html = "<title>日本</title><h1>文字</h1><a href=x>日</a>"
        by_header = page(html.encode(encoding), f"text/html; charset={declared}")
        by_meta = page(f"<meta charset={declared}>{html}".encode(encoding), "text/html")
        for found in (by_header, by_meta):
            assert (found.title, found.text, found.links[0].text) == ("日本", "文字\n日", "日")

    def test_windows_characters_in_latin_1(self) -> None:
        """A page that says ISO-8859-1 and means windows-1252 keeps its quotes."""
        assert page(b"<p>\x93quoted\x94", "text/html; charset=iso-8859-1").text == "“quoted”"


class TestPlainText:
    def test_text_is_one_section(self) -> None:
        """A text file is one section, and its first line its title."""
        found = plain("\n  Read me  \n\nSecond   line\n")
        assert found.title == "Read me"
        assert found.sections == (Section(0, "", "", "Read me Second line"),)
        assert found.links == ()

    def test_markup_in_text_is_text(self) -> None:
        """Nothing in a text file is markup."""
        assert plain("a <b>bold</b> &amp; <a href=x>link</a>").text == "a <b>bold</b> &amp; <a href=x>link</a>"

    def test_the_title_of_a_long_line_is_cut(self) -> None:
        """A file of one line has a title that fits on one."""
        assert plain("word " * 100).title.startswith("word word")
        assert len(plain("word " * 100).title) <= 100

    def test_an_empty_file_has_the_name_of_its_url(self) -> None:
        """A file without text has a title and no section."""
        assert plain(" \n ", "https://example.org/a/notes.txt") == Page(
            "https://example.org/a/notes.txt", "notes.txt", ()
        )

    def test_nul_is_no_text(self) -> None:
        """NUL separates words, in title and text."""
        found = plain("a\0b")
        assert (found.title, found.text) == ("a b", "a b")

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
    def test_a_byte_order_mark_is_no_text(self, encoding: str) -> None:
        """A text file saved with a byte order mark begins with its first word."""
        found = page("\ufeffHello\nworld".encode(encoding), "text/plain")
        assert (found.title, found.text) == ("Hello", "Hello world")


class TestLinks:
    def test_a_link(self) -> None:
        """A link is where it points, its fragment, its words and its rel in lower case."""
        assert page("<a href=other.html#part rel='NoFollow UGC'>The\n <b>other</b> part</a>").links == (
            Link("https://example.org/docs/other.html", "part", "The other part", "nofollow ugc"),
        )

    @pytest.mark.parametrize(
        ("reference", "target"),
        [
            ("x.html", "https://example.org/docs/x.html"),
            ("./x", "https://example.org/docs/x"),
            ("../x", "https://example.org/x"),
            ("/x", "https://example.org/x"),
            ("?page=2", "https://example.org/docs/guide.html?page=2"),
            ("//other.example/x", "https://other.example/x"),
            ("HTTP://Other.Example:80", "http://other.example/"),
            (" \n x ", "https://example.org/docs/x"),
            ("x#caf%C3%A9", "https://example.org/docs/x#café"),
            ("x#100%", "https://example.org/docs/x#100%"),
            ("#install", "https://example.org/docs/guide.html#install"),
            ("https://Bücher.example/ä", "https://xn--bcher-kva.example/%C3%A4"),
        ],
    )
    def test_where_links_point(self, reference: str, target: str) -> None:
        """References resolve against the page; fragments are written as ids are, percent-decoded."""
        assert targets(f'<a href="{reference}">there</a>') == [target]

    @pytest.mark.parametrize(
        ("head", "reference", "target"),
        [
            ("<base href=/v2/>", "x", "https://example.org/v2/x"),
            ("<base href=https://other.example/a/b>", "x", "https://other.example/a/x"),
            ("<base href=/v2/>", "#part", "https://example.org/v2/#part"),
            ("<base href=/v2/page>", "?q", "https://example.org/v2/page?q"),
            ("<base href=/one/><base href=/two/>", "x", "https://example.org/one/x"),
            ("<base href=javascript:alert(1)>", "x", "https://example.org/docs/x"),
            ("<base href='http://['><base href=/two/>", "x", "https://example.org/two/x"),
            ("<base target=_blank>", "x", "https://example.org/docs/x"),
        ],
    )
    def test_base_href(self, head: str, reference: str, target: str) -> None:
        """The first usable base is what links are relative to."""
        assert targets(f'<head>{head}</head><body><a href="{reference}">there</a>') == [target]

    @pytest.mark.parametrize(
        "reference",
        [
            "mailto:a@example.org",
            "javascript:void(0)",
            "java&#10;script:alert(1)",
            "tel:123",
            "data:text/html,x",
            "ftp://x/",
            "http://[",
        ],
    )
    def test_links_that_lead_nowhere(self, reference: str) -> None:
        """What is not fetchable is no link."""
        assert targets(f'<a href="{reference}">x</a>') == []

    @pytest.mark.parametrize(
        "html", ["<a>x</a>", "<a name=x>x</a>", "<a href>x</a>", '<a href="">x</a>', "<iframe></iframe>"]
    )
    def test_anchors_without_a_reference(self, html: str) -> None:
        """What references nothing is no link."""
        assert targets(html) == []

    @pytest.mark.parametrize(
        "html", ["<map><area href=x></map>", "<iframe src=x></iframe>", "<frameset><frame src=x></frameset>"]
    )
    def test_other_elements_that_link(self, html: str) -> None:
        """Areas and frames lead somewhere as well."""
        assert targets(html) == ["https://example.org/docs/x"]

    @pytest.mark.parametrize(
        ("content", "leads_to"),
        [
            ("0; url=next.html", ["https://example.org/docs/next.html"]),
            ("5;URL='next.html'", ["https://example.org/docs/next.html"]),
            ("0,url = next.html", ["https://example.org/docs/next.html"]),
            ("0;next.html", ["https://example.org/docs/next.html"]),
            ("1.5; url=/a", ["https://example.org/a"]),
            ("0; url=javascript:alert(1)", []),
            pytest.param("5", [], id="reload after 5"),
            pytest.param("10", [], id="reload after 10"),
            pytest.param("30;", [], id="reload after 30;"),
            pytest.param("", [], id="empty"),
        ],
    )
    def test_meta_refresh(self, content: str, leads_to: list[str]) -> None:
        """A page that sends the reader on links there; one that only reloads itself links nowhere."""
        found = page(f'<meta http-equiv=Refresh content="{content}"><p>moved')
        assert [link.url for link in found.links] == leads_to
        assert all(link.rel == "refresh" for link in found.links)

    def test_equal_links_count_once(self) -> None:
        """A link that stands on a page twice is one link; one with other words or another rel is another."""
        html = "<a href=x>One</a><a href=x>One</a><a href=./x>One</a><a href=x>Two</a><a href=x rel=nofollow>One</a>"
        found = page(html).links
        assert [(link.text, link.rel) for link in found] == [("One", ""), ("Two", ""), ("One", "nofollow")]
        assert {link.url for link in found} == {"https://example.org/docs/x"}

    def test_links_keep_their_order(self) -> None:
        """Links come in the order in which a reader meets them."""
        assert targets("<a href=/b>1</a><iframe src=/c></iframe><a href=/a>2</a>") == [
            "https://example.org/b",
            "https://example.org/c",
            "https://example.org/a",
        ]

    def test_a_link_farm_ends(self) -> None:
        """The first MAX_LINKS links of a page count, and no more."""
        found = page("".join(f"<a href=p{number}>x</a>" for number in range(MAX_LINKS + 10))).links
        assert len(found) == MAX_LINKS
        assert found[-1].url == f"https://example.org/docs/p{MAX_LINKS - 1}"

    @pytest.mark.parametrize(
        ("html", "text"),
        [
            ("<h3>title link</h3><p>treasure map</p>", "title link treasure map"),
            ("<div><p>title link</p>treasure map</div>", "title link treasure map"),
            ("locking and<br>concurrency", "locking and concurrency"),
            ("un<b>believ</b>able", "unbelievable"),
            ("<code>open</code>()", "open()"),
        ],
    )
    def test_the_words_of_the_blocks_in_a_link_are_kept_apart(self, html: str, text: str) -> None:
        """What stands on lines of its own in a link ends a word; markup within a word does not."""
        (link,) = page(f"<a href=x>{html}</a>").links
        assert link.text == text

    def test_the_words_of_a_link_are_cut(self) -> None:
        """A link around half a page has few words."""
        (link,) = page(f"<a href=x>{'word ' * 100}</a>").links
        assert len(link.text) == MAX_LINK_TEXT


@pytest.mark.parametrize(
    "html",
    [
        "<h1><section>" * 500 + "".join(f"<a id=k{n}></a>" for n in range(10_000)) + "end",
        "<a href=/i><object>" * 1500 + "word " * 100_000,
        "".join(f"<dt id=k{n}>t" for n in range(20_000)),
        "<p>" + "".join(f'<a href="data:text/plain,{"x" * 5000}{n}">d</a>' for n in range(500)),
        "<title>" + "word " * 20_000 + "</title>" + "<h2>a</h2>" * 20_000,
        "<ul><li>" * 800 + ("<b></b>" * 60 + "</ul>") * 800,
        "<span>" * 1500 + "<i></i>" * 20_000 + "</span><h2>a</h2>" * 1500,
    ],
    ids=[
        "nested headings with anchors",
        "nested links",
        "definitions",
        "data links",
        "headings and a long title",
        "terms behind nested lists",
        "headings behind nested elements",
    ],
)
def test_pages_made_to_be_slow_come_out_bounded(html: str) -> None:
    """What would grow by the product of its parts is bounded: the page comes out, of no more than its own size."""
    found = page(html)
    assert len(found.title) <= 300
    assert len(found.sections) <= 5001
    size = sum(len(section.text) + len(section.heading) + sum(map(len, section.ids)) for section in found.sections)
    assert size + sum(len(link.text) + len(link.url) for link in found.links) <= 4 * len(html)


def test_a_heading_too_long_to_be_a_name_goes_on_as_text() -> None:
    """No word of an endless heading is lost: what does not fit begins the text."""
    words = [f"word{n}" for n in range(500)]
    (section,) = page(f"<h2 id=a>{' '.join(words)}</h2><p>end").sections
    assert len(section.heading) <= 1000
    assert f"{section.heading} {section.text}".split() == [*words, "end"]


@pytest.mark.parametrize("role", ["alert", "group", "feed", "tabpanel", "math", "main", "article", "region"])
def test_content_with_a_role_of_its_own_is_kept(role: str) -> None:
    """Only the roles of what surrounds a page take a part out of its text."""
    assert "zebra" in page(f"<p>a</p><div role={role}>zebra</div>").text
    assert "zebra" not in page(f"<p>a</p><div role={role} hidden>zebra</div>").text
