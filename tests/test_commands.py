"""The commands that look into an index, as people and scripts call them: exit codes, streams, JSON."""

import json
import re
import sqlite3
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from crawler import Report
from crawler.cli import run as command
from tests.site import Site

Said = tuple[int, str, str]


@pytest.fixture
def say(
    site: Site, run: Callable[..., Report], db: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> Callable[..., Said]:
    """Runs a command on the index of a small site; exit code, output, messages."""
    site.page("/", "One. Two.", links=["/a", "/missing"], title="Evil \u202e\x9b title")
    site.page("/a", "zebra")
    run()
    monkeypatch.chdir(db.parent)

    def called(*args: str) -> Said:
        capsys.readouterr()
        code = command(list(args))
        return code, *capsys.readouterr()

    return called


def test_why(say: Callable[..., Said], site: Site) -> None:
    """A story on standard output; 1 for a URL never seen, 2 for what is none."""
    code, out, err = say("why", site.url())
    assert (code, err) == (0, "")
    assert out.splitlines()[0].split() == ["url", site.url()]
    assert not re.search("[\u202e\x9b]", out)
    code, out, _ = say("why", site.url("/never"), "--json")
    assert (code, json.loads(out)["seen"]) == (1, False)
    code, out, err = say("why", "nonsense.html")
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert len(err.splitlines()) == 2


def test_a_search_of_an_index_without_a_page(site: Site, db: Path, run: Callable[..., Report], capsys: Any) -> None:
    """That nothing was indexed is told from that nothing matches."""
    site.robots("User-agent: *\nDisallow: /\n")
    run()
    assert command(["search", "zebra", "--db", str(db)]) == 1
    assert "holds no page yet" in capsys.readouterr().err


def test_status(say: Callable[..., Said], db: Path) -> None:
    """Text or JSON; 3 without an index."""
    code, out, _ = say("status")
    assert code == 0
    assert "2 in 2 sections" in out
    code, out, _ = say("status", "--json")
    assert (code, json.loads(out)["pages"]) == (0, 2)
    assert say("status", "--db", "none.db")[0] == 3


def test_diff(say: Callable[..., Said], site: Site, db: Path) -> None:
    """1 with one line when nothing changed, or when there is no page; the diff otherwise."""
    code, out, err = say("diff", site.url())
    assert (code, out) == (1, "")
    assert re.fullmatch(r"it has not changed since it was first seen on \S+\n", err)
    code, out, err = say("diff", site.url("/missing"))
    assert (code, out) == (1, "")
    assert f"crawl why {site.url('/missing')}" in err
    with closing(sqlite3.connect(db)) as connection:
        text = zlib.compress(b"One. Three.")
        connection.execute("INSERT INTO versions SELECT id, '2026-01-01T00:00:00Z', ? FROM pages", (text,))
        connection.commit()
    code, out, _ = say("diff", site.url())
    assert code == 0
    assert {"-Three.", "+Two."} <= set(out.splitlines())
    code, out, _ = say("diff", site.url(), "--json")
    assert {"url", "before_at", "after_at", "lines"} <= set(json.loads(out))


def test_doctor(say: Callable[..., Said], db: Path) -> None:
    """0 when sound, 3 when not, 0 after a repair; each check a line."""
    code, out, _ = say("doctor")
    assert code == 0
    assert all(" ok: " in line for line in out.splitlines())
    with closing(sqlite3.connect(db)) as connection:
        connection.execute("DELETE FROM sections_fts_docsize")
        connection.commit()
    code, out, _ = say("doctor")
    assert code == 3
    assert "to do: crawl doctor --repair" in out
    assert json.loads(say("doctor", "--json")[1])["sound"] is False
    code, out, _ = say("doctor", "--repair")
    assert code == 0
    assert "made sections_fts anew from sections" in out
    assert "before-repair" in out
    assert json.loads(say("doctor", "--repair", "--json")[1])["repair"]["copy"] is None


@pytest.mark.parametrize("name", ["why", "status", "diff", "doctor", "eval"])
def test_help_ends_with_examples(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each command shows how it is used."""
    assert command([name, "--help"]) == 0
    assert f"Examples:\n    crawl {name}" in capsys.readouterr().out


@pytest.mark.parametrize("args", [["why"], ["diff"], ["status", "x"], ["doctor", "--fix"]], ids=" ".join)
def test_bad_arguments(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong flag or a missing URL is one line and exit 2."""
    assert command(args) == 2
    assert capsys.readouterr().err.startswith("error: ")
