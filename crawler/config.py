"""Every setting: one frozen dataclass, filled from flags over environment over config.toml over defaults.

The dataclass is the single source: config.toml, the environment variables and the flags are read by its field names,
and the documentation is tested against it.
"""

import os
import re
import tomllib
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Literal

from crawler import __version__
from crawler.errors import UsageError
from crawler.fields import Selector
from crawler.proxy import Proxy
from crawler.robots import product
from crawler.urls import ScopeKind, has_credentials, host, normalize

Auto = Literal["auto"]
MAX_THREADS: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """How to crawl and where to. Raises UsageError when a value cannot be used."""

    seeds: tuple[str, ...] = ()
    db: str = "crawl.db"
    depth: int = 2
    scope: ScopeKind = "host"
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    max_pages: int = 0
    max_time: float = 0.0
    threads: int = 4
    per_host: int | Auto = "auto"
    indexers: int = 1
    readers: int | Auto = "auto"
    delay: float | Auto = "auto"
    timeout: float = 60.0
    max_size: int = 10 * 1024 * 1024
    retries: int = 2
    user_agent: str = f"crawler/{__version__}"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    auth: str = field(default="", repr=False)
    cookies: str = ""
    proxy: str = field(default="", repr=False)
    insecure: bool = False
    obey_robots: bool = True
    robots_strict: bool = False
    obey_usage: bool = False
    follow_nofollow: bool = False
    sitemaps: bool = True
    feeds: bool = True
    traps: bool = True
    allow_private: bool = False
    drop_tracking: bool = False
    durable: bool = False
    fresh: bool = False
    limit: int = 10
    sites: Mapping[str, Mapping[str, Selector]] = field(default_factory=dict)
    """Fields of your own by site: host (with its port, if it has one), name, selector."""

    def __post_init__(self) -> None:
        seeds = []
        given: object = self.seeds
        if isinstance(given, str):  # not a list of letters
            raise UsageError("seeds is a text", "give a list of URLs", key="seeds")
        for seed in self.seeds:
            url = normalize(seed)
            if url is None:
                raise UsageError(*_not_a_seed(seed), key="seeds")
            if has_credentials(seed):  # they are never sent to where a URL leads: not to be lost silently
                hint = "give them with --auth USER:PASSWORD"
                raise UsageError("a seed holds a user name or password", hint, key="seeds")
            seeds.append(url)
        object.__setattr__(self, "seeds", tuple(dict.fromkeys(seeds)))
        for name, (lowest, highest) in _RANGES.items():
            value = getattr(self, name)
            if value != "auto" and not lowest <= value <= highest:
                raise UsageError(f"{name} is {value}", f"give a number from {lowest} to {highest}", key=name)
        if not self.db:
            raise UsageError("db is empty", "give a path: --db crawl.db", key="db")
        if self.scope not in typing.get_args(ScopeKind):
            kinds = ", ".join(typing.get_args(ScopeKind))
            raise UsageError(f"scope is {self.scope!r}", f"give one of {kinds}", key="scope")
        for name in self.headers:
            if name.lower() in _OURS:
                hint = "--user-agent TEXT" if name.lower() == "user-agent" else "leave it out"
                raise UsageError(f"header {name!r} is the crawler's own to write", hint, key="headers")
        for key, named in (("user_agent", {"User-Agent": self.user_agent}), ("headers", self.headers)):
            for name, value in named.items():
                if not _is_header(name, value):
                    raise UsageError(f"header {name!r} is not a header", "give NAME: VALUE in printable ASCII", key=key)
        if self.auth and (":" not in self.auth or not self.auth.isprintable()):  # RFC 7617 §2
            raise UsageError("auth is no user name and password", "give USER:PASSWORD", key="auth")
        if self.auth and "authorization" in map(str.lower, self.headers):
            raise UsageError("there are two Authorization headers", "give auth or the header, not both", key="auth")
        if self.proxy:
            try:
                Proxy.parse(self.proxy)
            except ValueError as error:
                hint = "give http://HOST:PORT, socks5://HOST:PORT or socks5h://HOST:PORT"
                raise UsageError(f"proxy cannot be used: {error}", hint, key="proxy") from None

    @property
    def product(self) -> str:
        """Our product token, by which robots.txt and meta robots name us."""
        return product(self.user_agent)

    @property
    def names_contact(self) -> bool:
        """Whether those who are crawled learn how to reach us: by the User-Agent, or by From (RFC 9110 §10.1.2)."""
        named = any(sign in self.user_agent for sign in ("@", "://"))
        return named or any(name.lower() == "from" for name in self.headers)

    def fields_of(self, url: str) -> Mapping[str, Selector] | None:
        """The fields that are picked from the pages of the URL's site; None for every other page."""
        return self.sites.get(host(url)) if self.sites else None


_SECRET = frozenset({"auth", "proxy"})  # what no message shows
_OURS = frozenset({"host", "user-agent", "accept-encoding", "connection", "content-length", "transfer-encoding"})
_OF_THE_RUN = frozenset({"fresh", "insecure"})  # what only a flag says, for one run
_RANGES: Final[Mapping[str, tuple[float, float]]] = {
    "depth": (0, 1_000_000),
    "max_pages": (0, 10**12),
    "max_time": (0, 10**9),
    "threads": (1, MAX_THREADS),
    "per_host": (1, MAX_THREADS),
    "indexers": (1, 64),
    "readers": (0, 64),
    "delay": (0, 86_400),
    "timeout": (0.1, 86_400),
    "max_size": (1, 2**31 - 1),
    "retries": (0, 100),
    "limit": (1, 10_000),
}


def load(flags: Mapping[str, Any], file: str | None = None, environ: Mapping[str, str] = os.environ) -> Config:
    """The configuration of this run. Raises UsageError, in one line that names the place.

    `flags` holds those that were given. `file` is a config.toml that must exist; None means ./config.toml if there
    is one. An environment variable is CRAWL_ and the key in capitals: CRAWL_DB, CRAWL_MAX_PAGES.
    """
    path = Path(file) if file is not None else Path("config.toml")
    values: dict[str, Any] = {}
    places: dict[str, str] = {}
    if file is not None or path.is_file():
        values |= _from_file(path, places)
    values |= _from_environment(environ, places)
    values |= flags
    try:
        return Config(**values)
    except UsageError as error:
        if error.key in places and error.key not in flags:
            raise UsageError(f"{places[error.key]}: {error}", error.hint, error.key) from None
        raise


def _from_file(path: Path, places: dict[str, str]) -> dict[str, Any]:
    """The settings in a file; where each one stands is noted in `places`."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: byte {error.start} is not UTF-8", "save the file as UTF-8") from error
    except OSError as error:
        raise UsageError(
            f"{path}: {(error.strerror or 'cannot be read').lower()}", "name a file with --config"
        ) from error
    try:
        table = tomllib.loads(text)
    except RecursionError as error:
        raise UsageError(f"{path}: nested too deeply") from error
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
        where = f"{place[1]}:{place[2]}" if place else str(text.count("\n") + 1)
        raise UsageError(f"{path}:{where}: {str(error).partition(' (at')[0].lower()}") from error
    except ValueError as error:  # a number of more digits than Python reads
        raise UsageError(f"{path}: {str(error).partition(';')[0].lower()}") from error
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key == "site":
            values["sites"] = _sites(path, text, value)
        elif key in _KEYS:
            places[key] = f"{path}:{_line(text, key)}"
            values[key] = _typed(key, value, places[key])
        else:
            raise UsageError(f"{path}:{_line(text, key)}: unknown key {key!r}", _nearest(key, (*_KEYS, "site")))
    return values


def _sites(path: Path, text: str, table: Any) -> dict[str, dict[str, Selector]]:
    """`[site."docs.example.org".fields]` tables: names and the CSS selectors that pick their values."""
    sites: dict[str, dict[str, Selector]] = {}
    for name, site in _table(table, f"{path}:{_line(text, 'site')}", "site").items():
        where = f"{path}:{_line(text, name, 'site')}"
        for key in _table(site, where, f"site.{name!r}"):
            if key != "fields":
                raise UsageError(f"{path}:{_line(text, key, name)}: unknown key {key!r}", _nearest(key, ("fields",)))
        sites[name] = {}
        for key, written in _table(site.get("fields", {}), where, "fields").items():
            where = f"{path}:{_line(text, key, name)}"
            many = isinstance(written, list)
            one = written[0] if many and len(written) == 1 else written
            if not isinstance(one, str):
                raise UsageError(f"{where}: field {key!r} is no selector", 'write "css" for one, ["css"] for all')
            try:
                sites[name][key] = Selector.parse(one, many)
            except ValueError as error:
                raise UsageError(
                    f"{where}: field {key!r}: {error}", 'write ".price" or "meta[name=author]@content"'
                ) from error
    return sites


def _table(value: Any, where: str, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise UsageError(f"{where}: {name} is not a table", '[site."docs.example.org".fields]')
    return value


def _from_environment(environ: Mapping[str, str], places: dict[str, str]) -> dict[str, Any]:
    values = {}
    names = {f"CRAWL_{key.upper()}": key for key in _KEYS}
    for name in environ.keys() - names.keys():
        if name.startswith("CRAWL_") and (close := get_close_matches(name, names, 1, 0.85)):
            raise UsageError(f"environment variable {name} is unknown", f"did you mean {close[0]}?")
    for name, key in names.items():
        if name in environ:
            places[key] = f"environment variable {name}"
            values[key] = _typed(key, _plain(key, environ[name]), places[key])
    return values


def _plain(key: str, text: str) -> Any:
    """The text of an environment variable as TOML would give it."""
    kinds = _kinds(key)
    if tuple in kinds:
        return text.split()
    if Mapping in kinds:
        lines = (line.partition(":") for line in text.splitlines() if line.strip())
        return {name.strip(): value.strip() for name, _, value in lines}
    if bool in kinds:
        return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}.get(text.lower(), text)
    for kind in (int, float):
        if kind in kinds:
            try:
                return kind(text)
            except ValueError:
                continue
    return text


def _kinds(key: str) -> tuple[Any, ...]:
    """The plain types that the field takes, `str` for a literal."""
    annotation = _TYPES[key]
    options = (
        typing.get_args(annotation)
        if typing.get_origin(annotation) in (typing.Union, type(int | str))
        else (annotation,)
    )
    return tuple(str if typing.get_origin(one) is Literal else typing.get_origin(one) or one for one in options)


def _typed(key: str, value: Any, where: str) -> Any:
    """The value as the field wants it. Raises UsageError."""
    kinds = _kinds(key)
    if tuple in kinds and isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    if Mapping in kinds and isinstance(value, dict) and all(isinstance(item, str) for item in value.values()):
        return value
    if isinstance(value, bool):
        if bool in kinds:
            return value
    elif isinstance(value, int | float) and float in kinds and abs(value) < 1e300:
        return float(value)
    elif isinstance(value, int) and int in kinds:
        return value
    elif isinstance(value, str) and str in kinds:
        is_number = bool({int, float} & set(kinds))
        if value == "auto" or not is_number:
            return value
    shown = "something else" if key in _SECRET else repr(value)
    raise UsageError(f"{where}: {key} is {shown}", f"give {_wanted(kinds)}")


def _wanted(kinds: tuple[Any, ...]) -> str:
    names = {
        int: "a whole number", float: "a number", str: "a text", bool: "true or false", tuple: "a list of texts",
    }  # fmt: skip
    if {int, float} & set(kinds) and str in kinds:
        return f'{names[int if int in kinds else float]} or "auto"'
    return names.get(kinds[0], "a table of texts")


def _nearest(key: str, keys: tuple[str, ...]) -> str:
    close = get_close_matches(key, keys, 1, 0.5)
    return f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(keys)}"


def _line(text: str, key: str, table: str = "") -> int:
    """The line of the file that first names the key, from the header of its table on; 1 when it is not found."""
    named = re.compile(rf"""\s*(?:\[.*)?["']?{re.escape(key)}["']?\s*[=.\]]""")
    reached = not table
    for number, line in enumerate(text.splitlines(), 1):
        is_header = line.lstrip().startswith("[")
        reached = reached or (is_header and table in line)
        if reached and named.match(line) and (table or not is_header or key == "site" or f"[{key}" in line):
            return number
    return 1


def _is_header(name: str, value: str) -> bool:
    """A field name is a token, a field value has no line break (RFC 9110 §5)."""
    named = re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name)
    return bool(named and value and value.isascii() and value.isprintable())


def _not_a_seed(seed: str) -> tuple[str, str]:
    shown = "".join(char if char.isprintable() else "?" for char in seed)[:200]
    if seed.startswith("-") or not seed.strip():
        return f"seed {shown!r} is not a URL", "give one with its scheme: --seed https://example.org/"
    scheme = re.match(r"\s*([a-z][a-z0-9+.-]*):(?!\d)", seed, re.I)  # localhost:8000 has a port, not a scheme
    if scheme and scheme[1].lower() not in ("http", "https"):
        return f"seed {shown!r}: {scheme[1]} is not crawled", "give an http or https URL"
    if not scheme and normalize(f"https://{seed}"):
        near = re.match(r"(localhost|127\.|\[::1\])|[^/]+:\d", seed)  # this machine, or a port: hardly ever TLS
        return f"seed {shown!r} has no scheme", f"did you mean {'http' if near else 'https'}://{shown} ?"
    return f"seed {shown!r} is not a URL", "give one with its scheme: --seed https://example.org/"


_TYPES: Final = typing.get_type_hints(Config)
_KEYS: Final = tuple(item.name for item in fields(Config) if item.name not in {"sites", *_OF_THE_RUN})
