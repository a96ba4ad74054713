"""Fixtures that all tests share."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crawler import Config, Report, crawl
from tests.oracle import Walk
from tests.site import Folder, Site
from tests.wire import Script, Wire

# apt-get install python3.11-doc sqlite3-doc
SITES = {"python": Path("/usr/share/doc/python3.11/html"), "sqlite": Path("/usr/share/doc/sqlite3")}


@pytest.fixture(scope="session", params=SITES, ids=SITES)
def walk(request: pytest.FixtureRequest) -> Iterator[Walk]:
    """The judge's walk of a real site that is being served."""
    folder = SITES[request.param]
    if not (folder / "index.html").exists() and "CI" not in os.environ:
        pytest.skip(f"{folder} is not there: apt-get install python3.11-doc sqlite3-doc")
    server = Folder(folder)
    yield Walk(server.url + "index.html")
    server.close()


@pytest.fixture(scope="session")
def whole(walk: Walk, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The index of the whole site."""
    db = tmp_path_factory.mktemp("whole") / "crawl.db"
    crawl(Config(seeds=(walk.seed,), depth=50, db=str(db)))
    return db


@pytest.fixture
def site() -> Iterator[Site]:
    """A web site of the test's own."""
    served = Site()
    yield served
    served.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Wire]]:
    """Starts a server of bytes, as `Wire` takes them; it is stopped after the test."""
    wires: list[Wire] = []

    def start(script: Script | bytes, **how: Any) -> Wire:
        wires.append(Wire(script, **how))
        return wires[-1]

    yield start
    for wire in wires:
        wire.close()


@pytest.fixture
def db(tmp_path: Path) -> Path:
    """Where the index file of the test goes."""
    return tmp_path / "crawl.db"


@pytest.fixture
def run(site: Site, db: Path) -> Callable[..., Report]:
    """Crawls the site from `/`, or from the paths given, into `db`."""

    def start(*paths: str, on_progress: Any = None, interrupts: Any = None, **settings: Any) -> Report:
        seeds = tuple(map(site.url, paths or ("/",)))
        # Who tests sitemaps says so; the others are asked for nothing beside their pages and robots.txt.
        settings = {"seeds": seeds, "db": str(db), "depth": 10, "sitemaps": False} | settings
        return crawl(Config(**settings), on_progress=on_progress, interrupts=interrupts)

    return start


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    """After every test, no thread of the crawler's is alive."""
    yield
    left = [thread.name for thread in threading.enumerate() if thread.name.startswith("crawler-")]
    assert left == []


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test sees the settings of whoever runs it, or forgets their last search."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
    for name in [name for name in os.environ if name.startswith("CRAWL_")]:
        monkeypatch.delenv(name)
