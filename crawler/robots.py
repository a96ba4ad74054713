"""robots.txt: a reply becomes rules (RFC 9309). No I/O here.

The file is read as the RFC says. Where a file itself does not keep to the RFC (`disalow`, `user agent`, a colon that
is missing), it is read as Google reads it: that is what its author had in mind, and looked at.
"""

import codecs
import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from crawler.urls import MAX_URL

MAX_BYTES: Final = 500 * 1024  # RFC 9309 §2.5: at least 500 kibibytes must be parsed
MAX_REDIRECTS: Final = 5  # RFC 9309 §2.3.1.2
MAX_DELAY: Final = 30.0  # seconds; a longer Crawl-delay is cut to this
_MAX_LINE: Final = 8 * MAX_URL - 1  # characters; what follows on the line is cut off: no URL is half as long
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_ALL: Final = "*"

_FIELDS: Final = {
    "user-agent": "agent", "useragent": "agent", "user agent": "agent",
    "allow": "allow",
    "disallow": "disallow", "dissallow": "disallow", "dissalow": "disallow", "disalow": "disallow",
    "diasllow": "disallow", "disallaw": "disallow",
    "sitemap": "sitemap", "site-map": "sitemap",
    "crawl-delay": "delay",
    "content-usage": "usage", "content-signal": "usage",
}  # fmt: skip
_NAME = re.compile(r"\*(?=\s|$)|[\w.-]+", re.A)
_COMPATIBLE = re.compile(r"\(compatible;\s*([A-Za-z_-]+)", re.I)
# What may stand in a path in more than one way: encoded octets, and all that is neither unreserved nor reserved by
# RFC 3986. Reserved, but not let through: `*` and `$`, which are patterns where they stand as they are (RFC 9309
# §2.2.3), and the apostrophe, which WHATWG encodes in one half of a URL and leaves alone in the other.
_ENCODABLE = re.compile(r"%([0-9A-Fa-f]{2})|[^A-Za-z0-9._~!&()+,;=:@/?\[\]#%-]")
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")


class Line(NamedTuple):
    """The line of a robots.txt that decides over a URL."""

    number: int
    """Of the line, from 1."""
    text: str
    allows: bool


class _Pattern(NamedTuple):
    """A path pattern, in pieces: what a path begins with, then what follows somewhere behind each `*`."""

    weight: int
    """Octets, as RFC 9309 §2.2.2 wants them counted: the heaviest pattern that matches decides."""
    pieces: tuple[str, ...]
    is_whole: bool
    """Whether it has to reach the end of the path: `$`."""

    @classmethod
    def of(cls, written: str) -> "_Pattern":
        is_whole = written.endswith("$")
        pieces = tuple(map(_normal, written.removesuffix("$").split("*")))
        return cls(sum(map(len, pieces)) + len(pieces) - 1 + is_whole, pieces, is_whole)

    def matches(self, path: str) -> bool:
        """Whether it matches a path. Each piece is looked for once, behind the one before: there is no going back."""
        head, *rest = self.pieces
        if not path.startswith(head):
            return False
        if not rest:
            return not self.is_whole or len(path) == len(head)
        *middle, tail = rest
        at = len(head)
        for piece in middle:
            found = path.find(piece, at)
            if found < 0:
                return False
            at = found + len(piece)
        return path.endswith(tail, at) if self.is_whole else path.find(tail, at) >= 0


class _Rule(NamedTuple):
    """An allow or disallow line, or one that says for which use (then `value` is what it says)."""

    rank: tuple[int, bool, int]
    """What comes first decides: the heaviest, of as heavy ones an allow, then the first (RFC 9309 §2.2.2)."""
    pattern: _Pattern
    allows: bool
    number: int
    value: str = ""

    @classmethod
    def of(cls, written: str, allows: bool, number: int, value: str = "") -> "_Rule":
        pattern = _Pattern.of(written)
        return cls((-pattern.weight, not allows, number), pattern, allows, number, value)


class _Group:
    """All lines for one agent."""

    def __init__(self) -> None:
        self.delay: float | None = None
        self.usages: list[_Rule] = []
        self._heaviest: dict[str, _Rule] = {}  # plain beginnings of a path
        self._lengths: tuple[int, ...] = ()  # of those, the longest first
        self._others: list[tuple[str, _Rule]] = []  # with `*` or `$`, behind their longest piece: mostly it is missing

    def add(self, rules: Iterable[_Rule]) -> None:
        for rule in sorted(rules, key=lambda rule: rule.rank):
            pattern = rule.pattern
            if len(pattern.pieces) > 1 or pattern.is_whole:
                self._others.append((max(pattern.pieces, key=len), rule))
            else:
                self._heaviest.setdefault(pattern.pieces[0], rule)
        self._lengths = tuple(sorted(set(map(len, self._heaviest)), reverse=True))

    def deciding(self, path: str) -> _Rule | None:
        """The rule that decides over the path; None when none matches."""
        begins = (self._heaviest.get(path[:length]) for length in self._lengths if length <= len(path))
        best = next((rule for rule in begins if rule is not None), None)
        for piece, rule in self._others:
            if piece in path and rule.pattern.matches(path):
                return rule if best is None else min(rule, best)
        return best


class Rules:
    """What one origin's robots.txt says. Immutable, and safe to share between threads.

    What it says to an agent is worked out the first time that somebody asks for it: a tenth of a second for 500 KiB.
    """

    __slots__ = ("_groups", "_is_cut", "_verdict", "code", "reason", "text")

    def __init__(self, verdict: bool | None, text: str = "", reason: str = "", code: str = "") -> None:
        self._verdict = verdict
        self._is_cut = False
        self._groups: dict[str, _Group] = {}  # by agent; the same whoever makes it
        self.text = text
        """As it was sent, in Unicode; octets that are no UTF-8 stand as %XX, which is how rules mean them."""
        self.code = code
        """Short, for why everything is refused: what failed on the way, `robots-unreachable` when there was no usable
        answer, `robots` when there was one that refuses all; empty when there are rules."""
        self.reason = reason
        """The same in words: `connection refused`."""

    @classmethod
    def from_reply(
        cls, status: int | None, body: bytes | str = b"", detail: str = "", code: str = "", *, strict: bool = False
    ) -> "Rules":
        """Rules from an HTTP status and the body, or the `text` kept of it. `status` None means that no reply came:
        `detail` and `code` say why.

        RFC 9309 §2.3.1: 2xx is parsed, 4xx allows everything, and so does a redirect, which is what is left after too
        many of them; 5xx and unreachable refuse everything. 429 counts as a server error: it says "not now", not "no
        rules here". `strict` refuses everything for 401 and 403, too.
        """
        if status is not None and 200 <= status < 300:
            is_cut = isinstance(body, bytes) and len(body) > MAX_BYTES
            text = body if isinstance(body, str) else _decoded(body[:MAX_BYTES])
            if is_cut:  # what is left of the last line could mean anything
                text = text[: max(text.rfind("\n"), text.rfind("\r")) + 1]
            is_page = text.lstrip()[:1] == "<"  # an HTML page in place of robots.txt: no rules
            rules = cls(True if is_page else None, text)
            rules._is_cut = is_cut
            return rules
        if strict and status in (401, 403):
            return cls(False, reason=f"robots.txt answers {status}, and robots_strict is set", code="robots")
        if status is not None and ((400 <= status < 500 and status != 429) or status in _REDIRECTS):
            return cls(True)
        return cls(False, reason=detail or f"robots.txt answers {status}", code=code or "robots-unreachable")

    def allows(self, agent: str, url: str) -> bool:
        """Whether the agent may fetch the URL. /robots.txt itself is always allowed."""
        path = _path(url)
        if path.partition("?")[0] == "/robots.txt":
            return True
        if self._verdict is not None:
            return self._verdict
        rule = self._group(agent).deciding(path)
        return rule is None or rule.allows

    def line(self, agent: str, url: str) -> Line | None:
        """The line that decides whether the agent may fetch the URL; None when none does."""
        path = _path(url)
        if self._verdict is not None or path.partition("?")[0] == "/robots.txt":
            return None
        rule = self._group(agent).deciding(path)
        return rule and Line(rule.number, _lines(self.text)[rule.number - 1].strip(), rule.allows)

    def delay(self, agent: str) -> float:
        """Seconds between requests that Crawl-delay asks of the agent, 0 when it asks nothing; at most MAX_DELAY."""
        asked = self._group(agent).delay if self._verdict is None else None
        return min(asked or 0.0, MAX_DELAY)

    def usages(self, agent: str) -> tuple[str, ...]:
        """What Content-Usage lines say to the agent, each as `/path preference`, in their order."""
        return tuple(rule.value for rule in self._group(agent).usages) if self._verdict is None else ()

    def refuses_search(self, agent: str, url: str) -> bool:
        """Whether the site prefers that the URL is not used for search, `search=n`
        (https://datatracker.ietf.org/doc/draft-ietf-aipref-attach/ §4: the longest path decides).
        """
        if self._verdict is not None:
            return False
        path = _path(url)
        matching = [rule for rule in self._group(agent).usages if rule.pattern.matches(path)]
        heaviest = max((rule.pattern.weight for rule in matching), default=0)
        return any(not rule.allows for rule in matching if rule.pattern.weight == heaviest)

    def notes(self, agent: str) -> str:
        """What of the file is not kept to the letter, in words; empty when all of it is."""
        asked = self._group(agent).delay if self._verdict is None else None
        told = ["it is longer than 500 KiB, and only that much of it was read"] if self._is_cut else []
        if asked and asked > MAX_DELAY:
            told.append(f"its Crawl-delay of {asked:g} s is kept as {MAX_DELAY:g} s")
        return "; ".join(told)

    @property
    def sitemaps(self) -> tuple[str, ...]:
        """The sitemaps it names, in its order."""
        fields = _fields(self.text) if self._verdict is None else ()
        return tuple(value for _, field, value in fields if field == "sitemap" and value)

    def _group(self, agent: str) -> _Group:
        if agent not in self._groups:
            self._groups[agent] = _group(self.text, product(agent).lower())
        return self._groups[agent]

    def __repr__(self) -> str:
        if self._verdict is None:
            return "<Rules from robots.txt>"
        return "<Rules allow all>" if self._verdict else f"<Rules refuse all: {self.reason}>"


def product(agent: str) -> str:
    """The product token of a User-Agent value: `crawler/0.1 (+https://…)` is `crawler` (RFC 9309 §2.2.1).

    `Mozilla/5.0 (compatible; ExampleBot/0.1; …)` is `ExampleBot`, as in the RFC's own example.
    """
    named = _COMPATIBLE.search(agent)
    return named[1] if named else agent.partition("/")[0].partition(" ")[0]


def _group(text: str, name: str) -> _Group:
    """The lines for the agent of that name, of all its groups; where none names it, those for everybody.

    Groups are ended by allow and disallow lines only: other records must not interfere (RFC 9309 §2.2.4). Those
    belong to the names right before them.
    """
    rules: dict[str, list[_Rule]] = {name: [], _ALL: []}
    groups = {name: _Group(), _ALL: _Group()}
    known: set[str] = set()
    names: set[str] = set()  # of ours and `*`, those that a rule that comes now is for
    others: set[str] = set()  # and any other record
    is_ruled = is_told = False  # whether a rule, or another record, came since the last name
    for number, field, value in _fields(text):
        if field == "agent":
            if is_ruled:
                names = set()
            if is_ruled or is_told:
                others = set()
            is_ruled = is_told = False
            found = _NAME.match(value)
            if found and (token := found[0].lower()) in groups:
                known.add(token)
                names.add(token)
                others.add(token)
        elif field in ("allow", "disallow"):
            is_ruled = True
            for token in names:
                rules[token] += _rules(value, field == "allow", number)
        elif field != "sitemap":
            is_told = True
            for token in others:
                _tell(groups[token], field, value, number)
    mine = name if name in known else _ALL
    groups[mine].add(rules[mine])
    return groups[mine]


def _rules(value: str, allows: bool, number: int) -> Iterator[_Rule]:
    if not value:
        return
    yield _Rule.of(value, allows, number)
    folder, slash, name = value.rpartition("/")
    if allows and slash and name in ("index.html", "index.htm"):  # as Google reads it, this allows the folder, too
        yield _Rule.of(folder + "/$", allows, number)


def _tell(group: _Group, field: str, value: str, number: int) -> None:
    if field == "delay":
        try:
            seconds = float(value)
        except ValueError:
            return
        if seconds >= 0:  # which NaN is not
            group.delay = max(group.delay or 0.0, seconds)
        return
    path, preference = "/", value
    if value.startswith(("/", "*")):
        path, *rest = value.split(None, 1)
        preference = rest[0] if rest else ""
    wishes = dict(wish.partition("=")[::2] for wish in "".join(preference.lower().split()).split(","))
    refused = wishes.get("search", "").partition(";")[0] in ("n", "no")
    group.usages.append(_Rule.of(path, not refused, number, f"{path} {preference}"))


def _fields(text: str) -> Iterator[tuple[int, str, str]]:
    """The lines that mean something: number, name of the field, value."""
    for number, line in enumerate(_lines(text), 1):
        written = line[:_MAX_LINE].partition("#")[0].strip()
        name, colon, value = written.partition(":")
        if not colon:
            words = written.split()
            if len(words) != 2:
                continue
            name, value = words
        field = _FIELDS.get(name.strip().lower())
        if field is not None:
            yield number, field, value.strip()


def _lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _path(url: str) -> str:
    """Path and query of a URL, in the one way of writing them that rules are compared in."""
    parts = url.partition("#")[0].split("/", 3)
    return _normal("/" + parts[3] if len(parts) == 4 else "/")


def _normal(text: str) -> str:
    """RFC 9309 §2.2.2: octets beyond ASCII are encoded, unreserved ones are not."""
    return _ENCODABLE.sub(_encoded, text)


def _encoded(found: re.Match[str]) -> str:
    if found[1] is None:
        return "".join(f"%{octet:02X}" for octet in found[0].encode("utf-8", "surrogatepass"))
    char = chr(int(found[1], 16))
    return char if _UNRESERVED.match(char) else found[0].upper()


def _decoded(body: bytes) -> str:
    """The text, whatever the bytes: UTF-8 as RFC 9309 §2.2 wants it, with or without a mark, or half of one; or UTF-16
    by its mark or by its zeros."""
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif re.match(rb"[\t-~]\0|\0[\t-~]", body):
        encoding = "utf-16-be" if body.startswith(b"\0") else "utf-16-le"
    else:
        encoding = "utf-8"
        body = re.sub(rb"\A\xef(?:\xbb\xbf?)?(?=[\x00-\x7f]|\Z)", b"", body) if body.startswith(b"\xef") else body
    return body.decode(encoding, "octets").lstrip("\ufeff").replace("\0", " ")


def _octets(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return "".join(f"%{octet:02X}" for octet in error.object[error.start : error.end]), error.end


codecs.register_error("octets", _octets)
