"""Traps: URLs without end beside a few real pages, what is one and what only looks like one, and soft 404s."""

from collections.abc import Callable
from itertools import pairwise, product
from pathlib import Path
from random import Random
from urllib.parse import parse_qsl, urlencode

import pytest

from crawler import Report, reasons, search, update, why
from crawler.config import Config
from crawler.page import Link, Page, Section
from crawler.traps import FREE, STALE, STALE_LEAVES, Traps
from crawler.views import story as shown
from tests.site import Site
from tests.test_pipeline import indexed, rows, states

Run = Callable[..., Report]
REAL = [f"/real/{name}" for name in ("alpha", "beta", "gamma", "delta", "epsilon", "zeta")]
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
GOODS = [f"{color}{thing}" for color in ("red", "blue", "green", "black", "white") for thing in ("hat", "shoe", "sock")]
WORDS = [f"{first}{last}" for first, last in product(("ab", "cad", "dor", "fil", "mun", "tir"), repeat=2)]


def html(title: str, text: str, links: list[str]) -> str:
    anchors = "".join(f"<p><a href='{link}'>{link}</a>" for link in links)
    return f"<!doctype html><title>{title}</title><h1>{title}</h1><p>{text}</p>{anchors}<p><a href=/>Home</a>"


def calendar(site: Site) -> str:
    """A page a month, for ever in both directions."""

    def month(path: str) -> str:
        asked = dict(parse_qsl(path.partition("?")[2]))
        number = 12 * int(asked["y"]) + int(asked["m"]) - 1
        links = [f"/calendar?y={n // 12}&m={n % 12 + 1}" for n in (number - 1, number + 1, number + 12)]
        days = " ".join(map(str, range(1, 31)))
        return html(f"{MONTHS[number % 12]} {number // 12}", f"Mo Tu We Th Fr Sa Su {days} nothing is planned", links)

    site.endless("/calendar?", month)
    return "/calendar?y=2026&m=11"


def filters(site: Site) -> str:
    """A shop whose every page can be narrowed down in more ways, all at one depth."""
    choices = {"color": "red blue green", "size": "s m l xl", "sort": "price name", "brand": "a b c", "page": "1 2 3 4"}

    def some(path: str) -> str:
        asked = dict(parse_qsl(path.partition("?")[2]))
        links = [f"/shop?{urlencode(asked | {key: one})}" for key, all_ in choices.items() for one in all_.split()]
        return html("Shop " + " ".join(asked.values()), " ".join(Random(path).sample(GOODS, 6)), links)

    site.endless("/shop", some)
    return "/shop"


def circle(site: Site) -> str:
    """Relative links that make a path grow."""
    site.endless("/grow/", lambda path: html("Grow", f"you are at {len(path)}", ["a/", "b/"]))
    return "/grow/"


def hub(site: Site) -> str:
    """Ten thousand links on one page, to pages that all say the same."""
    site.page("/hub", links=[f"/item/{number}" for number in range(9_990)])
    site.endless("/item/", lambda path: html("Item", f"the same as always, number {path[6:]}", []))
    return "/hub"


def sessions(site: Site) -> str:
    """A new session for every visitor who has none, in every link."""
    chance = Random(1)

    def visit(path: str) -> str:
        own = f"PHPSESSID={chance.randbytes(16).hex()}"
        return html("Shop", f"your visit {own}", [f"/visit/{name}?{own}" for name in ("one", "two", "three")])

    site.endless("/visit/", visit)
    return "/visit/one"


TRAPS = {trap.__name__: trap for trap in (calendar, filters, circle, hub, sessions)}


def real_pages(site: Site, *entrances: str, chain: bool = False) -> None:
    """Six real pages beside the traps: all on the front page, or each behind the one before."""
    site.page("/", links=[*entrances, *(REAL[:1] if chain else REAL)])
    for path, following in pairwise([*REAL, ""]):
        site.page(path, f"the real text of {path}", links=[following] if chain and following else [])


@pytest.mark.parametrize("chain", [False, True], ids=["flat", "chain"])
@pytest.mark.parametrize("name", TRAPS)
def test_real_pages_come_before_the_crowd(run: Run, site: Site, db: Path, name: str, chain: bool) -> None:
    """Six real pages are found beside a trap within two hundred pages, also when each is behind the one before."""
    real_pages(site, TRAPS[name](site), chain=chain)
    report = run(max_pages=200, depth=100)
    assert set(REAL) <= indexed(db, site)
    assert report.fetched < 220


def test_real_pages_beside_all_traps_at_once(run: Run, site: Site, db: Path) -> None:
    """However many traps there are, what is rare has its turn."""
    real_pages(site, *(trap(site) for trap in TRAPS.values()))
    run(max_pages=200, depth=100)
    assert set(REAL) <= indexed(db, site)


@pytest.mark.parametrize(
    ("name", "reason", "at_most"),
    [("calendar", "trap-shape", 1_500), ("circle", "trap-repeat", 600), ("sessions", "", 12)],
)
def test_traps_end(run: Run, site: Site, db: Path, name: str, reason: str, at_most: int) -> None:
    """Without any limit on pages or depth the crawl ends, with all real pages, and says why it left out the rest."""
    real_pages(site, TRAPS[name](site), chain=True)
    report = run(depth=100_000)
    assert set(REAL) <= indexed(db, site)
    assert len(site.paths) < at_most
    assert report.queued == 0
    if not reason:
        return
    assert report.reasons[reason] > 0
    (example,) = rows(db, f"SELECT url FROM urls WHERE reason = '{reason}' ORDER BY id LIMIT 1")
    story = why(example, db=db)
    assert story.verdict == reasons.in_words("skipped", reason)
    assert "traps = false" in story.advice
    assert story.detail
    assert story.detail in shown(story)


def test_a_session_is_dropped_and_the_story_knows(run: Run, site: Site, db: Path) -> None:
    """A page that links gave a session's id is known without it; who asks with it is told."""
    site.page("/", links=["/a?x=1&PHPSESSID=0123456789abcdef0123456789abcdef"])
    site.page("/a?x=1")
    run()
    assert indexed(db, site) == {"/", "/a?x=1"}
    story = why(site.url("/a?x=1&PHPSESSID=ffffffffffffffffffffffffffffffff"), db=db)
    assert story.verdict == "known without the id of a session, which links lose"
    assert story.advice == f"crawl why {site.url('/a?x=1')}"


def test_a_trap_is_remembered(run: Run, site: Site, db: Path) -> None:
    """A crawl that goes on knows what a trap is; its pages that are indexed stay, also when they are visited again."""
    real_pages(site, calendar(site))
    assert run(depth=100_000).reasons["trap-shape"] > 0
    pages = indexed(db, site)
    site.page("/real/zeta", "one more", links=["/calendar?y=1&m=1"])
    site.seen.clear()
    assert update(Config(db=str(db), sitemaps=False), before="9999").changes["gone"] == 0
    assert {path for path in site.paths if path.startswith("/calendar")} <= pages
    assert states(db, site)["/calendar?y=1&m=1"] == "skipped trap-shape"
    assert indexed(db, site) == pages


def test_a_crowd_is_remembered(run: Run, site: Site, db: Path) -> None:
    """Who is one of ten thousand is so, too, when the crawl goes on after an interruption."""
    site.page("/", links=[hub(site), "/late"])
    site.page("/late", links=["/item/123456", "/rare"])
    run(max_pages=2, threads=1)
    run(max_pages=1, threads=1)
    assert "/late" in site.paths
    crowds = dict(rows(db, "SELECT url, crowd FROM urls"))
    assert crowds[site.url("/item/123456")] > 1000
    assert crowds[site.url("/rare")] == 0


def test_traps_can_be_entered(run: Run, site: Site, db: Path) -> None:
    """With traps = false the same command fetches what was left out before, by every rule."""
    site.page("/", links=["/a/a/a", *(f"/item/{number}" for number in range(FREE + STALE + 30))])
    site.page("/a/a/a")
    count = FREE + STALE + 30

    def item(path: str) -> str:
        following = int(path[6:]) + 1
        return html("Item", f"number {following}", [f"/item/{following}"] if following < count else [])

    site.endless("/item/", item)
    report = run()
    assert set(report.reasons) == {"trap-shape", "trap-repeat"}
    assert run(traps=False).reasons == {}
    assert len(set(site.paths)) == len(site.paths) == 2 + FREE + STALE + 30


# What is evidence


def page(path: str, text: str, *links: str) -> tuple[Page, str]:
    found = tuple(Link(f"http://h{link}", "", "", "") for link in links)
    return Page(f"http://h{path}", "T", (Section(0, "", "", text),), found), text


def is_trap_after(pages: list[tuple[Page, str]]) -> bool:
    traps = Traps()
    for one, text in pages:
        traps.look(one, text)
    return traps.verdict("http://h/x/0") is not None


def spelled(number: int) -> str:
    return "".join("abcdefghij"[int(digit)] for digit in str(number))


@pytest.mark.parametrize(
    ("text", "links", "is_trap"),
    [
        (lambda n: "the same", lambda n: ["/"], False),
        (lambda n: "the same", lambda n: ["/", f"/x/{n + 1}"], True),
        (lambda n: f"number {n}, date {n}-01-01, id{n}", lambda n: [f"/x/{n + 1}"], True),
        (lambda n: " ".join(Random(n).sample(WORDS, 9)), lambda n: [f"/x/{n + 1}"], True),
        (lambda n: "the same", lambda n: [f"/x/{n + 1}", f"/other/{n}"], False),
        (lambda n: spelled(n), lambda n: ["/"], False),
        (lambda n: "，".join(chr(0x4E00 + int(digit)) for digit in str(n)), lambda n: [f"/x/{n + 1}"], False),
        (lambda n: "".join(chr(0x915 + int(digit)) + "\u093f" for digit in str(n)), lambda n: [f"/x/{n + 1}"], False),
        (lambda n: f"call_{spelled(n)}();", lambda n: [f"/x/{n + 1}"], False),
        (lambda n: "the same" if n % 500 else "x" * (n + 1), lambda n: ["/"], False),
    ],
    ids=[
        "leaves",
        "more of the same",
        "where it is",
        "few words in any order",
        "links",
        "words",
        "Chinese",
        "Hindi",
        "code",
        "now and then",
    ],
)
def test_evidence(text: Callable[[int], str], links: Callable[[int], list[str]], is_trap: bool) -> None:
    """A page brings a word that is new, or a link to elsewhere that is; if long enough none does, it is a trap."""
    pages = [page(f"/x/{n}", text(n), *links(n)) for n in range(3 * STALE)]
    assert is_trap_after(pages) is is_trap
    assert not is_trap_after(pages[: FREE + STALE])


def test_leaves_are_given_longer() -> None:
    """Pages that are all the same and lead nowhere may end, and are a trap only after four thousand of them."""
    pages = [page(f"/x/{n}", "the same", "/") for n in range(FREE + STALE_LEAVES + 2)]
    assert not is_trap_after(pages[: FREE + STALE_LEAVES])
    assert is_trap_after(pages)


# Soft 404s


def test_a_server_that_never_says_not_found(run: Run, site: Site, db: Path) -> None:
    """What a server shows for whatever does not exist is no page; one probe tells, when a page gives reason to ask."""
    site.page("/", links=["/good", "/bad", "/worse?x=1", "/manual"])
    site.page("/good", "a page")
    site.page("/manual", "what to do when your own server says so", title="Page not found")
    sorry = "Sorry, there is no {} on this server. Error 4711."
    site.endless("/", lambda path: html("Page not found", sorry.format(path), ["/good"]))
    report = run()
    assert indexed(db, site) == {"/", "/good", "/manual"}
    assert report.reasons == {"soft-404": 2}
    probes = [path for path in site.paths if path not in states(db, site)]
    assert len(probes) == 1
    assert "whatever does not exist" in why(site.url("/bad"), db=db).verdict
    assert search("Sorry", db=db).total == 0


def test_a_server_that_shows_its_front_page_instead(run: Run, site: Site, db: Path) -> None:
    """Once a text comes up again and again, it is asked for; the front page itself stays."""
    site.page("/", links=[f"/{name}" for name in WORDS])
    front = "Welcome to our site, where you find all there is about our products and our services"
    counter = iter(range(1000))
    body = html("Welcome", front, [f"/{name}" for name in WORDS])
    site.raw("/", body.encode(), Content_Type="text/html")
    site.endless("/", lambda path: body.replace("<h1>", f"<!-- {next(counter)} --><h1>"))
    report = run(threads=1)
    assert "/" in indexed(db, site)
    assert report.reasons["soft-404"] >= len(WORDS) - 3


def test_honest_servers_are_not_asked_again(run: Run, site: Site, db: Path) -> None:
    """A probe that is answered by 404 clears the site; pages that say so are indexed, and no second probe is sent."""
    site.page("/", links=["/a", "/b"])
    site.page("/a", "all about it", title="404 not found")
    site.page("/b", "more about it", title="404 not found, again")
    run(threads=1)
    assert indexed(db, site) == {"/", "/a", "/b"}
    assert len(site.paths) == 4


def test_probes_keep_to_robots_txt(run: Run, site: Site, db: Path) -> None:
    """Where robots.txt allows a few paths only, no probe is sent."""
    site.robots("User-agent: *\nAllow: /$\nAllow: /only\nDisallow: /\n")
    site.page("/", links=["/only"])
    site.page("/only", title="Page not found")
    run()
    assert indexed(db, site) == {"/", "/only"}
    assert sorted(site.paths) == ["/", "/only"]
