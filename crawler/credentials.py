"""What a user gives to prove who they are, and who gets it: nobody but the servers that it was given for.

Headers and passwords go to the seeds' own origins: scheme, host and port, all three. Cookies from a file go where they
themselves say, by domain, path, expiry and `Secure`, and there only to the schemes and ports of the seeds: on another
port of the same host another program may listen.
"""

import warnings
from collections.abc import Iterable, Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy, LoadError, MozillaCookieJar
from typing import Self
from urllib.request import Request

from crawler.errors import UsageError
from crawler.proxy import basic
from crawler.urls import origin


class Credentials:
    """The headers that go to some servers only. Immutable after construction, so that all threads share one."""

    def __init__(
        self, seeds: Iterable[str] = (), headers: Mapping[str, str] | None = None, cookies: CookieJar | None = None
    ) -> None:
        homes = frozenset(map(origin, seeds))
        self._headers = dict(headers or {})
        self._homes = homes if self._headers else frozenset()
        self._cookies = cookies
        self._doors = frozenset(map(_door, homes))

    @classmethod
    def of(cls, seeds: Iterable[str], headers: Mapping[str, str], auth: str, cookies: str) -> Self:
        """Those that a configuration names; `auth` is USER:PASSWORD, `cookies` a path. Raises UsageError."""
        given = dict(headers) | ({"Authorization": basic(auth)} if auth else {})
        return cls(seeds, given, read_cookies(cookies) if cookies else None)

    def for_url(self, url: str) -> Mapping[str, str]:
        """The headers for a request for a normalised URL; none for most."""
        home = origin(url) if self._homes or self._cookies is not None else ""
        headers = self._headers if home in self._homes else {}
        if self._cookies is not None and _door(home) in self._doors:
            request = Request(url)  # noqa: S310 - nothing is opened, the jar wants to see it
            self._cookies.add_cookie_header(request)
            if cookies := request.get_header("Cookie"):
                headers = with_cookies(headers, cookies)
        return headers


def with_cookies(headers: Mapping[str, str], cookies: str) -> dict[str, str]:
    """The headers with some cookies more."""
    own = next((name for name in headers if name.lower() == "cookie"), "Cookie")
    return {**headers, own: "; ".join(filter(None, (headers.get(own), cookies)))}


def read_cookies(path: str) -> CookieJar:
    """The cookies in a file as browsers' extensions and curl write it (Netscape's cookies.txt). Raises UsageError."""
    # A cookie that is not said to be for subdomains is for its very host: by default, the jar would not mind.
    jar = MozillaCookieJar(path, policy=DefaultCookiePolicy(strict_ns_domain=DefaultCookiePolicy.DomainStrictNonDomain))
    hint = "export it from a browser as cookies.txt, in Netscape's format"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it would show a traceback of its own
            jar.load(ignore_discard=True, ignore_expires=True)
    except UnicodeDecodeError:
        raise UsageError(f"{path}: no cookies.txt", hint, key="cookies") from None
    except LoadError as error:
        detail = "an invalid line" if "invalid" in str(error) else "no cookies.txt"
        raise UsageError(f"{path}: {detail}", hint, key="cookies") from None  # the error quotes the line, a secret
    except OSError as error:
        what = (error.strerror or "cannot be read").lower()
        raise UsageError(f"{path}: {what}", "name a file with --cookies", key="cookies") from None
    for cookie in jar:
        # How curl writes one that ends with the browser; the others are judged when they go out.
        if cookie.expires == 0:
            cookie.expires, cookie.discard = None, True
    return jar


def _door(home: str) -> tuple[str, str]:
    """Scheme and port of an origin; the port is empty when it is the scheme's own."""
    scheme, _, rest = home.partition("://")
    return scheme, rest.rpartition("]")[2].partition(":")[2]
