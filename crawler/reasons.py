"""Why a URL is where it is, in words, and what to do about it."""

from typing import Final

_GO_ON: Final = "the crawl is not finished: run the same command again"
_NO_TRAPS: Final = "if it is none: traps = false in config.toml, and the same command again"
_LATER: Final = "it may pass: crawl again later"

# By state and reason, or by reason alone: what it means, and what to do (nothing where nothing can be done).
_REASONS: Final[dict[str, tuple[str, str]]] = {
    "scope": ("outside the scope of the crawl", "widen it: --scope domain, or give it as a seed of its own"),
    "include": ("matches no --include", "add an --include that matches it"),
    "exclude": ("matches an --exclude", "leave out that --exclude"),
    "depth": ("too deep", "crawl deeper: --depth {depth}"),
    "robots": ("robots.txt refuses it", "ask who runs the site; obey_robots = false is for servers of your own"),
    "robots-unreachable": ("its robots.txt has no usable answer, which refuses everything", _LATER),
    "usage": ("robots.txt wants it kept out of search", "ask who runs the site; obey_usage = false passes over that"),
    "nofollow": ("all links to it, or the pages they stand on, say nofollow", "give it as a seed: --seed {url}"),
    "noindex": ("it asks not to be indexed", ""),
    "content-type": ("it is neither HTML nor plain text", ""),
    "empty": ("it holds no text", "if a script writes its text in the browser, no crawler without one can see it"),
    "sitemap": ("a sitemap, whose URLs were taken", ""),
    "no-sitemap": ("a sitemap was looked for here, and there is none", ""),
    "sitemap-nesting": ("a sitemap in a sitemap in a sitemap, which is not read", "give it as a seed: --seed {url}"),
    "foreign-sitemap": ("only a sitemap of another site lists it", "give it as a seed: --seed {url}"),
    "feed": ("a feed, whose links were taken", ""),
    "trap-repeat": ("its path says the same thing again and again, as a trap's does", _NO_TRAPS),
    "trap-shape": ("there seem to be URLs like this without end, and their pages say nothing new", _NO_TRAPS),
    "soft-404": ("its server shows the same for whatever does not exist", _NO_TRAPS),
    "redirect": ("it leads elsewhere", "what it leads to has a story of its own: crawl why {to}"),
    "redirects": ("it is behind too many redirects", ""),
    "bad-redirect": ("it leads nowhere", ""),
    "duplicate": ("another page has the very same body, and stands for both", "look at that page: crawl why {same}"),
    "private-address": (
        "it is at a private address, or a port of one, that no seed has",
        "if you trust its links: --allow-private",
    ),
    "connect-error": ("its host could not be reached", _LATER),
    "dns-error": ("its host has no address", _LATER),
    "tls-error": (
        "no secure connection could be made",
        "check its certificate; for a server of your own: --insecure",
    ),
    "timeout": ("it did not answer in time", "give it longer: --timeout 120"),
    "truncated": ("the answer ended too early", _LATER),
    "protocol-error": ("the answer was no proper HTTP", ""),
    "decode-error": ("the answer could not be unpacked", ""),
    "parse-error": ("the document could not be taken apart", ""),
    "internal-error": ("the crawler failed at it", "report it, with the detail"),
    "cut-at-max-size": ("in the index, but only its beginning", "allow more, and again: --max-size 50000000 --fresh"),
    "cut-by-parser": ("in the index, but only its beginning: to take the rest apart would take far too long", ""),
    "unreached": ("no page led to it again in a crawl with --fresh", _GO_ON),
    "http-401": ("it wants a login", "--auth USER:PASSWORD, or --header 'Authorization: …'"),
    "http-403": ("its server refuses to show it", "name a contact in --user-agent, or ask who runs the site"),
    "http-404": ("it does not exist", ""),
    "http-410": ("it does not exist any more", ""),
    "http-429": ("its server asked us to come less often", "be slower: --delay 5"),
}

# For lists with counts: 12 too deep, 3 refused by robots.txt.
_IN_SHORT: Final = {
    "scope": "out of scope",
    "depth": "too deep",
    "content-type": "neither HTML nor text",
    "robots": "refused by robots.txt",
    "robots-unreachable": "without a usable answer for robots.txt",
    "usage": "not for search, by robots.txt",
    "nofollow": "only linked with nofollow",
    "noindex": "asks not to be indexed",
    "include": "not in --include",
    "exclude": "in --exclude",
    "private-address": "at a private address",
    "redirects": "behind too many redirects",
    "empty": "without text",
    "trap-repeat": "with a path that repeats itself",
    "trap-shape": "in a trap",
    "soft-404": "not found, though the server says otherwise",
    "foreign-sitemap": "in a sitemap of another site only",
}


def in_short(reason: str) -> str:
    """A reason as it reads behind a number of URLs; the code itself where that says enough."""
    return _IN_SHORT.get(reason, reason)


def in_words(state: str, reason: str) -> str:
    """What became of a URL, as the end of a sentence; empty reasons and unknown ones too."""
    if state == "queued":
        return "waits to be fetched"
    if state == "done" and not reason:
        return "in the index"
    if reason in _REASONS:
        return _REASONS[reason][0]
    status = reason.removeprefix("http-")
    if status != reason:
        return f"its server answered {status}" + (", an error of its own" if status.startswith("5") else "")
    return reason or state


def advice(state: str, reason: str, **known: object) -> str:
    """What to do so that the URL gets into the index; empty when there is nothing to do.

    `known` fills in `depth`, `url`, `to` and `same` where the reason asks for them.
    """
    if state == "queued":
        return _GO_ON
    if reason in _REASONS:
        return _REASONS[reason][1].format_map(known)
    return _LATER if reason.startswith("http-5") else ""
