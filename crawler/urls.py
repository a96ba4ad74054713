"""URLs: resolve, normalise, scope. Pure functions of text; nothing here raises on any input.

The parser is Ada, an implementation of the WHATWG URL Standard (https://url.spec.whatwg.org/), so that a link
means here what it means in a browser. One parser decides: the HTTP client is only ever given its serialisation.
"""

import fnmatch
import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache, wraps
from typing import TYPE_CHECKING, Final, Literal, ParamSpec, TypeVar
from urllib.parse import unquote

import can_ada

from crawler.machine import has_gil

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

MAX_URL = 2083  # characters; the longest that browsers and servers agree on in practice
_MAX_HOST = 253  # RFC 1035 §2.3.4
_MAX_LABEL = 63

# Names that advertisers and mailers add to links, and nobody else uses. What sites have a use of their own for is none
# of these: `ref`, `source`, `id`, `session`.
_TRACKING = frozenset({
    "_ga", "_gl", "_hsenc", "_hsmi", "_openstat", "dclid", "fbclid", "gad_source", "gbraid", "gclid", "gclsrc",
    "igshid", "li_fat_id", "mc_cid", "mc_eid", "mkt_tok", "msclkid", "oly_anon_id", "oly_enc_id", "rb_clickid",
    "srsltid", "ttclid", "twclid", "vero_id", "wbraid", "wickedid", "yclid",
})  # fmt: skip

ScopeKind = Literal["host", "prefix", "domain", "any"]


def normalize(text: str, base: str | None = None) -> str | None:
    """The key under which a URL is known: its WHATWG serialisation without fragment; None if it is not fetchable.

    Not fetchable is what has another scheme than http and https, is malformed, or is longer than `MAX_URL`.
    `base` is what a relative reference is relative to. Idempotent. Nothing lossy is done: no query is reordered, no
    slash dropped. Only a user name and password are: they are neither sent nor kept (RFC 9110 §4.2.4).
    """
    if len(text) > MAX_URL:
        text = text[: MAX_URL + 1].partition("#")[0]  # a fragment of any length is none of the key
    if len(text) > MAX_URL or (base and len(base) > MAX_URL):
        return None
    try:
        url = _serialised(text, base).partition("#")[0]
    except ValueError:
        return None
    except TypeError:  # a lone surrogate, which UTF-8 cannot carry
        return normalize(_scalar(text), base and _scalar(base))
    if not url.startswith(("http://", "https://")):
        return None
    if "@" in url and "@" in (home := url.split("/", 3)[2]):
        url = url.replace(home, home.rpartition("@")[2], 1)
    return url if len(url) <= MAX_URL and _is_valid_host(hostname(url)) else None


def _scalar(text: str) -> str:
    """The text with U+FFFD for lone surrogates, as a browser has it (WHATWG Infra, "convert to scalar values")."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def has_credentials(text: str) -> bool:
    """Whether a URL as a person writes it holds a user name or a password."""
    try:
        return _names_somebody(text)
    except (ValueError, TypeError):
        return False


_HAS_GIL: Final = has_gil()  # can_ada was imported: where it brought the GIL back, it is there now, and stays
_ALONE: Final = threading.Lock()
P = ParamSpec("P")
R = TypeVar("R")


def _alone(function: Callable[P, R]) -> Callable[P, R]:
    """Without the GIL, one thread at a time: can_ada keeps a table of all its objects that nothing else guards then,
    and the process aborts. So no object of its may outlive the call, either."""
    if _HAS_GIL:
        return function

    @wraps(function)
    def alone(*args: P.args, **named: P.kwargs) -> R:
        with _ALONE:
            return function(*args, **named)

    return alone


# The base is parsed once a page, not once a link, where its object may be shared.
_parsed: Final = lru_cache(maxsize=256)(can_ada.parse) if _HAS_GIL else can_ada.parse


@_alone
def _serialised(text: str, base: str | None) -> str:
    return (_parsed(base) + text if base else can_ada.parse(text)).href


@_alone
def _names_somebody(text: str) -> bool:
    parsed = can_ada.parse(text)
    return bool(parsed.username or parsed.password)


def without_tracking(url: str) -> str:
    """A normalised URL without the parameters that only tell where a visitor came from; the others stay as they are."""
    before, _, query = url.partition("?")
    parameters = query.split("&")
    kept = [one for one in parameters if not _is_tracking(one.partition("=")[0].lower())]
    if len(kept) == len(parameters):
        return url
    return f"{before}?{'&'.join(kept)}" if kept else before


def _is_tracking(name: str) -> bool:
    return name in _TRACKING or name.startswith("utm_")


def host(url: str) -> str:
    """The host of a normalised URL with its port when that is not the scheme's own: `example.org:8080`."""
    return url.split("/", 3)[2].rpartition("@")[2]


def origin(url: str) -> str:
    """Scheme, host and port of a normalised URL: `https://example.org:8080` (RFC 6454)."""
    return f"{url.split(':', 1)[0]}://{host(url)}"


def hostname(url: str) -> str:
    """The host of a normalised URL without port and without brackets: `example.org`, `::1`."""
    name = host(url)
    if name.startswith("["):
        return name[1 : name.index("]")]
    return name.partition(":")[0]


def same_site(one: str, other: str) -> bool:
    """Whether two normalised URLs are at one host, `www.` and the scheme apart, as the scope `host` has it."""
    return _without_www(host(one)) == _without_www(host(other))


def is_front(url: str) -> bool:
    """Whether a normalised URL is that of the front page of its site."""
    return url.count("/") == 3 and url.endswith("/")


@lru_cache(maxsize=4096)
def _is_valid_host(name: str) -> bool:
    return len(name) <= _MAX_HOST and all(len(label) <= _MAX_LABEL for label in name.split("."))


def _without_www(name: str) -> str:
    return name.removeprefix("www.")


@lru_cache(maxsize=4096)
def _registrable_domain(name: str) -> str:
    """The registrable domain of a host name by the Public Suffix List; an address or a bare name is its own."""
    if ":" in name or name.rpartition(".")[2].isdigit():  # WHATWG: a host whose last label is a number is IPv4
        return name
    return _public_suffixes().privatesuffix(name) or name


@lru_cache(maxsize=1)
def _public_suffixes() -> "PublicSuffixList":
    from publicsuffixlist import PublicSuffixList  # 20 ms to load, and needed by one kind of scope only

    return PublicSuffixList()


@dataclass(frozen=True, slots=True)
class Scope:
    """Which URLs belong to a crawl.

    `kind` relates a URL to the seeds: on the same *host* (and port; `www.` makes no difference), under the same
    *prefix* (the seed's folder), in the same registrable *domain*, or *any*. `include` and `exclude` are globs: one
    that begins with `/` is held against path and query, any other against the whole URL; `*` also matches `/`.
    """

    kind: ScopeKind
    seeds: tuple[str, ...]
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def verdict(self, url: str) -> str | None:
        """None when the normalised URL is in scope, else the reason: `scope`, `include` or `exclude`."""
        if url in self.seeds:
            return None
        if self.kind == "prefix":
            inside = _schemeless(url).startswith(_prefixes(self.seeds))
        else:
            inside = self.kind == "any" or _site(url, self.kind) in _sites(self.seeds, self.kind)
        if not inside:
            return "scope"
        if self.include and not _matches(url, self.include):
            return "include"
        if self.exclude and _matches(url, self.exclude):
            return "exclude"
        return None


def _schemeless(url: str) -> str:
    return _without_www(url.partition("://")[2])


@lru_cache(maxsize=64)
def _prefixes(seeds: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_schemeless(seed.partition("?")[0].rpartition("/")[0] + "/") for seed in seeds)


def _site(url: str, kind: ScopeKind) -> str:
    return _registrable_domain(hostname(url)) if kind == "domain" else _without_www(host(url))


@lru_cache(maxsize=64)
def _sites(seeds: tuple[str, ...], kind: ScopeKind) -> frozenset[str]:
    return frozenset(_site(seed, kind) for seed in seeds)


def _matches(url: str, globs: tuple[str, ...]) -> bool:
    whole, path = _compiled(globs)
    rest = "/" + url.split("/", 3)[3]
    return bool((whole and whole.fullmatch(url)) or (path and path.fullmatch(rest)))


@lru_cache(maxsize=64)
def _compiled(globs: tuple[str, ...]) -> tuple[re.Pattern[str] | None, re.Pattern[str] | None]:
    """The globs as two patterns: those for whole URLs, and those for paths."""

    def union(some: Iterable[str]) -> re.Pattern[str] | None:
        patterns = [fnmatch.translate(glob) for glob in some]
        return re.compile("|".join(patterns)) if patterns else None

    return union(g for g in globs if not g.startswith("/")), union(g for g in globs if g.startswith("/"))


def name_in(url: str) -> str:
    """The last part of an address that says something, without an ending: `blob_open` of `/c3ref/blob_open.html`."""
    parts = [part for part in url.partition("?")[0].split("/")[3:] if part]
    name = unquote(parts[-1]).rsplit(".", 1)[0] if parts else ""
    return unquote(parts[-2]) if name == "index" and len(parts) > 1 else name
