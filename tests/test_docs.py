"""The documentation is true: flags, keys, defaults, exit codes, tables and the example for Python."""

import re
import tomllib
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import click
import pytest

import crawler
from crawler import Change, Config, Evaluation, Repair, Report, Status, Story, errors
from crawler.cli import main
from crawler.config import load
from crawler.store.schema import connect_writer
from tests.site import Site

TOP = Path(__file__).parent.parent
README = (TOP / "README.md").read_text()
SETTINGS = tomllib.loads((TOP / "config.toml").read_text())
ONLY_FLAGS = {"fresh", "insecure"}


def defaults() -> dict[str, Any]:
    values = {}
    for item in fields(Config):
        made = item.default_factory() if item.default_factory is not MISSING else item.default
        values[item.name] = list(made) if isinstance(made, tuple) else made
    return values


def test_config_toml_holds_every_key_with_its_true_default() -> None:
    """The file at the top level is the defaults, key for key."""
    expected = {name: value for name, value in defaults().items() if name not in {*ONLY_FLAGS, "sites"}}
    assert expected == SETTINGS
    assert load({}, str(TOP / "config.toml"), {}) == Config()


def test_every_key_of_config_toml_has_a_comment() -> None:
    """Each line with a key says what it is."""
    for line in (TOP / "config.toml").read_text().splitlines():
        if re.match(r"\w+ =", line):
            assert re.search(r"  # \w", line), line


def test_the_example_of_fields_in_config_toml_works(tmp_path: Path) -> None:
    """The commented table becomes a valid configuration when it is uncommented."""
    text = (TOP / "config.toml").read_text()
    start = text.index('# [site."docs.example.org".fields]')
    example = tmp_path / "config.toml"
    example.write_text("\n".join(line.removeprefix("# ") for line in text[start:].splitlines()))
    assert set(load({}, str(example), {}).sites["docs.example.org"]) == {"price", "author", "tags"}


def options(command: str) -> dict[str, click.Option]:
    found = main.commands[command].params
    return {flag: option for option in found if isinstance(option, click.Option) for flag in option.opts}


LOOKING = ("why", "status", "diff", "doctor")


@pytest.mark.parametrize("command", sorted(main.commands))
def test_every_flag_stands_in_the_readme(command: str) -> None:
    """No flag is missing from the reference, and none there is made up."""
    title = ", ".join(LOOKING) if command in LOOKING else command
    parts = (README.split(f"### {name}\n")[1].split("\n### ")[0] for name in (title, "All of them"))
    documented = set(re.findall(r"(?<![\w-])(--?[a-z][a-z-]*)", "".join(parts)))
    assert set(options(command)) - {"-q", "-v"} - documented - {"--quiet", "--verbose"} == set()
    made_up = documented - {flag for name in main.commands for flag in options(name)} - {"-q", "-v"}
    assert made_up == set()


@pytest.mark.parametrize("command", sorted(main.commands))
def test_help_and_readme_tell_the_true_defaults(command: str) -> None:
    """What --help and the tables give as default is the default."""
    values = defaults()
    for flag, option in options(command).items():
        told = re.search(r"\[default: ([^\]:]+?)(?::[^\]]*)?\]", option.help or "")
        name = flag.removeprefix("--").replace("-", "_")
        if told and name in values:
            assert told[1] == f"{values[name]:g}" if isinstance(values[name], float) else str(values[name]), flag
    rows = re.findall(r"^\| (`--[^|]*) \| `([^`]*)`(?:, `([^`]*)`)? \|", README, re.M)
    assert len(rows) > 8
    for flags, *told_values in rows:
        names = [flag.replace("-", "_") for flag in re.findall(r"`--([a-z-]+)", flags)]
        for name, value in zip(names, [value for value in told_values if value] * 2, strict=False):
            expected = f"{values[name]:g}" if isinstance(values[name], float) else str(values[name])
            assert expected == value, name


def test_exit_codes_of_the_readme_are_those_of_the_errors() -> None:
    """The table of exit codes names those that the errors carry."""
    table = set(map(int, re.findall(r"^\| (\d)", README, re.M)))
    assert {kind.exit_code for kind in (errors.UsageError, errors.IndexFileError, errors.SeedError)} <= table


def test_tables_of_the_readme_are_those_of_the_file(tmp_path: Path) -> None:
    """Every table and every column that the README names is there, and no table is missing from it."""
    connection = connect_writer(tmp_path / "crawl.db")
    named = dict(
        re.findall(r"^\| `(\w+)` \| (.*) \|$", README.split("### The index file\n")[1].split("Why a URL")[0], re.M)
    )
    tables = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '%fts%'"
    ).fetchall()
    assert set(named) == {name for (name,) in tables}
    for table, description in named.items():
        columns = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
        states = {"queued", "done", "failed", "skipped", "gone"}
        assert (
            set(re.findall(r"`(\w+)`", description)) - columns - states - {"sections_fts", "called_fts", "words_fts"}
            == set()
        )
    connection.close()


def test_every_reason_in_the_code_is_explained() -> None:
    """A reason that can stand in a file stands in the README."""
    explained = set(re.findall(r"`([a-z0-9-]+)`", README.split("Why a URL is not in the index")[1].split("## How")[0]))
    code = "\n".join(path.read_text() for path in Path(crawler.__file__).parent.rglob("*.py"))
    used = set(re.findall(r'"(?:failed|skipped|done)", "([a-z-]+)"', code))
    used |= set(re.findall(r'FetchError\(\s*"([a-z-]+)"', code))
    used |= set(re.findall(r'return "(scope|include|exclude)"', code)) | {"depth", "unreached", "nofollow", "redirects"}
    assert len(used) > 15
    assert used - explained - {"failed", "skipped", "gone"} == set()


def test_json_keys_of_the_report_are_documented() -> None:
    """Each key of `crawl --json` stands in the README."""
    for kind in (Report, Story, Status, Change, Repair, Evaluation):
        for item in fields(kind):
            assert f"`{item.name}`" in README or item.name in ("after", "outcomes"), item.name


def test_modules_of_the_readme_are_those_of_the_package() -> None:
    """The table of modules is complete."""
    named = set(re.findall(r"`(\w+)/?`", README.split("| module | |")[1].split("`python tests")[0]))
    there = {path.stem if path.is_file() else path.name for path in Path(crawler.__file__).parent.iterdir()}
    assert named == {name for name in there if not name.startswith("_") and name not in {"py", "typed"}} - {"py.typed"}


def test_the_example_for_python_runs(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """The README's program works as it stands, but for the address."""
    site.page("/", "producer and consumer", title="Threads")
    example = README.split("### From Python\n")[1].split("`Config` takes")[0]
    program = "\n".join(line.removeprefix("    ") for line in example.splitlines())
    monkeypatch.chdir(tmp_path)
    exec(program.replace("https://docs.example.org/", site.url()), {})
    assert capsys.readouterr().out.splitlines() == ["1 {}", f"Threads {site.url()} producer and consumer"]


def test_the_sql_of_the_readme_runs(site: Site, tmp_path: Path) -> None:
    """The queries shown for other tools are valid on a real file."""
    connection = connect_writer(tmp_path / "crawl.db")
    queries = re.findall(r'sqlite-utils crawl\.db "([^"]+)"', README)
    assert queries
    for query in queries:
        connection.execute(query)
    connection.close()


def test_public_names_are_importable_and_documented() -> None:
    """What the package offers is there, has a docstring, and the version is one."""
    for name in crawler.__all__:
        assert (getattr(crawler, name).__doc__ or "").strip(), name
    assert tomllib.loads((TOP / "pyproject.toml").read_text())["project"]["version"] == crawler.__version__
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = crawler.nothing  # type: ignore[attr-defined]


def test_a_search_does_not_load_the_crawler() -> None:
    """Importing what a search needs loads neither the HTTP client nor the parsers."""
    import subprocess
    import sys

    code = "import sys, crawler, crawler.cli; crawler.search; crawler.hits; import crawler.config; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"requests", "urllib3", "selectolax", "bs4", "sqlite_utils", "Stemmer"} & set(loaded)


def test_changelog_names_the_version() -> None:
    """The newest entry is that of the version under way."""
    assert f"## {crawler.__version__}" in (TOP / "CHANGELOG.md").read_text()
