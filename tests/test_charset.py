"""From bytes to text, as a browser would read them."""

import encodings.aliases
import random

import pytest

from crawler.charset import codec, decode, encoding_of

UTF8_META = b'<meta charset="utf-8">'


@pytest.mark.parametrize(
    ("body", "content_type", "encoding"),
    [
        pytest.param(b"\xef\xbb\xbf" + UTF8_META, "text/html; charset=koi8-r", "utf-8", id="UTF-8 mark over header"),
        pytest.param(b"\xff\xfeh\0i\0", "text/html; charset=utf-8", "utf-16-le", id="UTF-16 mark over header"),
        pytest.param(b"\xfe\xff\0h\0i", "text/html; charset=utf-8", "utf-16-be", id="big-endian mark over header"),
        pytest.param(b"\xef\xbb\xbf<meta charset=koi8-r>", "", "utf-8", id="mark over meta"),
        pytest.param(UTF8_META, "text/html; charset=koi8-r", "koi8-r", id="header over meta"),
        pytest.param(b"<meta charset=koi8-r>", "text/html", "koi8-r", id="meta where the header is silent"),
        pytest.param(
            b"<meta charset=koi8-r>",
            "text/html; charset=nonsense",
            "koi8-r",
            id="meta where the header is nonsense",
        ),
        pytest.param("ж".encode(), "text/html; charset=nonsense", "utf-8", id="content where all is nonsense"),
    ],
)
def test_which_declaration_counts(body: bytes, content_type: str, encoding: str) -> None:
    """A byte order mark beats the header, the header beats the meta element, the meta element beats a guess."""
    assert encoding_of(body, content_type) == encoding


@pytest.mark.parametrize(
    "content_type",
    [
        "text/html; charset=koi8-r",
        "text/html;charset=KOI8-R",
        'text/html; charset="koi8-r"',
        "text/html; charset='koi8-r'",
        "text/html; CharSet = koi8-r ; x=y",
    ],
)
def test_spellings_of_the_header(content_type: str) -> None:
    """A charset in the header is found however it is written."""
    assert encoding_of(b"x", content_type) == "koi8-r"


@pytest.mark.parametrize(
    "meta",
    [
        b"<meta charset=koi8-r>",
        b"<META CHARSET='KOI8-R'>",
        b'<meta charset = "koi8-r" />',
        b'<meta http-equiv="Content-Type" content="text/html; charset=koi8-r">',
        b"<meta\nname=x charset=koi8-r>",
    ],
)
def test_spellings_of_the_meta_element(meta: bytes) -> None:
    """A charset in a meta element is found however it is written."""
    assert encoding_of(b"<!doctype html><head>" + meta) == "koi8-r"


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"<!-- <meta charset=koi8-r> --><meta charset=utf-8>", id="in a comment"),
        pytest.param(
            b"<meta name=description content='say charset=koi8-r'><meta charset=utf-8>", id="in a description"
        ),
        pytest.param(b"<meta charset=klingon><meta charset=utf-8>", id="unknown"),
        pytest.param(b"<meta data-charset=koi8-r><meta charset=utf-8>", id="another attribute"),
        pytest.param(b"<metadata charset=koi8-r><meta charset=utf-8>", id="another element"),
        pytest.param(b"<!-- <meta charset=koi8-r>", id="in a comment without end"),
        pytest.param(b"<meta charset=" + b"x" * 500 + b">", id="endless"),
        pytest.param("<meta charset=kö\x00i>".encode("latin-1", "replace"), id="no label at all"),
    ],
)
def test_what_only_looks_like_a_declaration_is_none(head: bytes) -> None:
    """What a page says about encodings is not taken for what it says of its own."""
    assert encoding_of(head + "<p>é".encode()) in ("utf-8", "cp1252")
    assert encoding_of(head.replace(b"\xf6", b"o") + "<p>é".encode()) == "utf-8"


def test_a_meta_element_deep_in_the_page_is_not_looked_for() -> None:
    """Browsers look through the first 1024 bytes only."""
    assert encoding_of(b" " * 1024 + b"<meta charset=koi8-r>") == "utf-8"


@pytest.mark.parametrize(
    ("label", "meant"),
    [
        ("iso-8859-1", "cp1252"),
        ("latin1", "cp1252"),
        ("us-ascii", "cp1252"),
        ("ISO-8859-9", "cp1254"),
        ("tis-620", "cp874"),
        ("gb2312", "gb18030"),
        ("GBK", "gb18030"),
        ("shift_jis", "cp932"),
        ("sjis", "cp932"),
        ("euc-kr", "cp949"),
        ("ks_c_5601-1987", "cp949"),
        ("big5", "big5hkscs"),
        ("utf-16", "utf-16-le"),
        ("utf8", "utf-8"),
        (" UTF-8 ", "utf-8"),
        ("windows-1251", "cp1251"),
    ],
)
def test_labels_mean_what_they_mean_on_the_web(label: str, meant: str) -> None:
    """Where the web means a superset of what the label says, the superset is read."""
    assert codec(label) == meant


@pytest.mark.parametrize(
    "label",
    [
        "utf-7",
        "rot13",
        "base64",
        "hex",
        "zlib",
        "idna",
        "punycode",
        "undefined",
        "unicode_escape",
        "raw_unicode_escape",
        "nonsense",
        "",
        "utf\0-8",
        "ü",
        "\ud800",
        "x" * 5000,
    ],
    ids=ascii,
)
def test_labels_that_are_refused(label: str) -> None:
    """What is no character encoding of the web is no encoding here, and nothing raises."""
    assert codec(label) is None


def test_a_refused_label_does_not_change_how_a_page_reads() -> None:
    """A page that declares UTF-7 is read as what its bytes are."""
    assert decode(b"+ADw-script+AD4-", "text/html; charset=utf-7") == ("+ADw-script+AD4-", "utf-8")


def test_escapes_in_a_page_stay_as_they_are() -> None:
    """No declaration makes Python's escapes in a page be carried out."""
    assert decode(rb"a \x3cscript\x3e", "text/html; charset=unicode_escape")[0] == r"a \x3cscript\x3e"


@pytest.mark.parametrize("label", ["utf-16", "utf-16le", "utf-16be"])
def test_utf_16_in_a_meta_element_means_utf_8(label: str) -> None:
    """A meta element that could be read as ASCII cannot stand in UTF-16."""
    body = f"<meta charset={label}>é".encode()
    assert decode(body) == (f"<meta charset={label}>é", "utf-8")


def test_undeclared_utf_8() -> None:
    """Valid UTF-8 without any declaration is UTF-8."""
    assert decode("Grüße, 日本".encode()) == ("Grüße, 日本", "utf-8")


@pytest.mark.parametrize(
    ("text", "written_in"),
    [
        pytest.param("<h1>Über uns</h1>", "cp1252", id="short German"),
        pytest.param(
            "<p>Für größere Mengen gewähren wir Ihnen selbstverständlich einen Rabatt. Über Rückfragen freuen wir uns.",
            "cp1252",
            id="German",
        ),
        pytest.param(
            "<p>Les élèves étaient très contents d'aller à l'école, où ils apprenaient à lire avec leurs maîtres.",
            "cp1252",
            id="French",
        ),
        pytest.param("<p>El niño pequeño comió una manzana mañana por la mañana en España.", "cp1252", id="Spanish"),
        pytest.param(
            "<p>Привет мир, это обычный текст на русском языке, который никто не объявил.",
            "cp1251",
            id="Russian",
        ),
        pytest.param(
            "<p>Привет мир, это обычный текст на русском языке, который никто не объявил.",
            "koi8-r",
            id="KOI8-R",
        ),
        pytest.param("<p>日本語のテキストがここにあります。よろしくお願いします。", "cp932", id="Shift_JIS"),
        pytest.param("<p>日本語のテキストがここにあります。よろしくお願いします。", "euc-jp", id="EUC-JP"),
    ],
)
def test_undeclared_legacy_text_is_detected(text: str, written_in: str) -> None:
    """Text of an older encoding is read as it was written, even though nothing declares it."""
    assert decode(text.encode(written_in))[0] == text


def test_bytes_of_no_encoding_never_raise() -> None:
    """Whatever the bytes are, a text that UTF-8 can carry comes out."""
    chance = random.Random(9309)
    for length in range(0, 240, 3):
        text, _ = decode(chance.randbytes(length) + b"\xff")
        text.encode()


@pytest.mark.parametrize("label", sorted(set(encodings.aliases.aliases) | set(encodings.aliases.aliases.values())))
def test_no_label_makes_decoding_raise(label: str) -> None:
    """With any label that Python knows, any bytes become a text."""
    for body in (bytes(range(256)), b"ab\xff\xfe\x00", b"\x1b$)A\x0e\xff~{"):
        text, _ = decode(body, f"text/html; charset={label}")
        assert text.encode("utf-8", "replace")


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        pytest.param(b"a\xffb", "text/html; charset=utf-8", "a\ufffdb", id="byte that UTF-8 has not"),
        pytest.param(b"a\xed\xa0\x80b", "text/html; charset=utf-8", "a\ufffd\ufffd\ufffdb", id="surrogate in UTF-8"),
        pytest.param(b"\xff\xfea\0\x00\xd8", "", "a\ufffd", id="half a surrogate pair in UTF-16"),
        pytest.param(b"a\x81b", "text/html; charset=windows-1252", "a\ufffdb", id="byte that windows-1252 has not"),
    ],
)
def test_bad_bytes_become_replacement_characters(body: bytes, content_type: str, text: str) -> None:
    """A byte that its encoding has no character for costs one character, not the page."""
    assert decode(body, content_type)[0] == text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
def test_the_byte_order_mark_is_not_text(encoding: str) -> None:
    """A byte order mark tells the encoding and is gone."""
    assert decode("\ufeffhi".encode(encoding)) == ("hi", encoding)


@pytest.mark.parametrize(
    "content_type",
    ["", ";;;", "charset", "text/html; charset=", "charset=\0", "\ud800; charset=\ud800"],
    ids=ascii,
)
def test_any_content_type_is_taken(content_type: str) -> None:
    """A header that says nothing sensible says nothing."""
    assert encoding_of(b"hi", content_type) == "utf-8"
