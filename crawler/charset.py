"""From bytes to text, as browsers do it: byte order mark, HTTP header, `<meta>` prescan, then a detector.

Source of the order and of the labels: WHATWG HTML, "determining the character encoding", and WHATWG Encoding §4.2.
"""

import codecs
import re

_PRESCAN = 1024  # bytes that a browser looks through for <meta charset>
_MAX_LABEL = 40  # characters; Python remembers every label that it was ever asked for
_SAMPLE = 64 * 1024  # bytes given to the detector, whose time grows with them

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))

# Where the web means something else than the name says (WHATWG Encoding), in Python's spelling of both.
_MEANT = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
    "utf-16": "utf-16-le",
}

# No encodings of the web, though Python has them; utf-7 was used in attacks.
_UNSAFE = {"utf-7", "idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined"}

# Encodings that pages without a declaration have been seen in; the detector looks at no others.
_DETECTABLE = (
    "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "koi8_r", "koi8_u",
    "gb18030", "big5hkscs", "cp932", "euc_jp", "cp949", "cp874", "iso2022_jp",
)  # fmt: skip

# What the prescan looks at: comments, to pass over them, and the attributes of <meta>.
_META = re.compile(rb"<!--.*?(?:-->|\Z)|<meta[\s/]([^>]*)", re.I | re.S)
_ATTRIBUTE = re.compile(rb"""([^\s/=>"']+)\s*+=\s*+(?:"([^"]*)"|'([^']*)'|([^\s>"']+))""")
_HEADER = re.compile(r"""charset\s{0,8}=\s{0,8}["']?\s{0,8}([a-z0-9_:.+-]{2,40})""", re.I)


def codec(label: str) -> str | None:
    """Python's name of the encoding that a label means on the web, None when there is none or it is unsafe."""
    if len(label) > _MAX_LABEL:
        return None
    try:
        found = codecs.lookup(label.strip())
    except (LookupError, ValueError):  # ValueError: a NUL in the label
        return None
    if not found._is_text_encoding or found.name in _UNSAFE:  # the former: rot13, base64, zip …
        return None
    return _MEANT.get(found.name, found.name)


def encoding_of(body: bytes, content_type: str = "") -> str:
    """Python's name of the encoding of a document. Never raises.

    `content_type` is the value of the HTTP header. A valid UTF-8 document without any declaration is UTF-8; what
    is left goes to the detector, and what that cannot tell is windows-1252.
    """
    for bom, name in _BOMS:
        if body.startswith(bom):
            return name
    if (declared := _HEADER.search(content_type)) and (told := codec(declared[1])):
        return told
    if inside := _declared_inside(body[:_PRESCAN]):
        return inside
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return _detected(body[:_SAMPLE])
    return "utf-8"


def _declared_inside(head: bytes) -> str | None:
    """What the first `<meta>` of these that declares an encoding says (WHATWG HTML, "prescan a byte stream")."""
    for meta in _META.finditer(head):
        attributes: dict[bytes, bytes] = {}
        for name, *values in _ATTRIBUTE.findall(meta[1] or b""):
            attributes.setdefault(name.lower(), b"".join(values))
        label = attributes.get(b"charset", b"").decode("latin-1")
        if not label and attributes.get(b"http-equiv", b"").lower() == b"content-type":
            declared = _HEADER.search(attributes.get(b"content", b"").decode("latin-1"))
            label = declared[1] if declared else ""
        if label and (told := codec(label)):
            # A meta that could be read as ASCII cannot be UTF-16: UTF-8 is meant.
            return "utf-8" if told.startswith("utf-16") else told
    return None


def decode(body: bytes, content_type: str = "") -> tuple[str, str]:
    """`(text, encoding)`; bytes that the encoding has no character for become U+FFFD."""
    name = encoding_of(body, content_type)
    return body.decode(name, "replace").removeprefix("\ufeff"), name


def _detected(sample: bytes) -> str:
    from charset_normalizer import from_bytes  # slow to load, and hardly ever needed

    matches = from_bytes(sample, cp_isolation=list(_DETECTABLE))
    if (best := matches.best()) is None:
        return "cp1252"
    # Short texts fit several encodings equally well; then it is the one that most of such pages have.
    tied = [match for match in matches if (match.chaos, match.coherence) == (best.chaos, best.coherence)]
    if any("cp1252" in match.could_be_from_charset for match in tied):
        return "cp1252"
    return codec(best.encoding) or "cp1252"
