"""Settings: where they come from, and what a wrong one is told."""

from pathlib import Path
from typing import Any

import pytest

from crawler.config import Config, load
from crawler.errors import UsageError
from crawler.fields import Selector


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, in which the command runs."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(text: str | bytes) -> str:
    """The name of a configuration file with this text."""
    Path("crawl.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return "crawl.toml"


def refusal(text: str | bytes) -> tuple[str, str]:
    """What a person is told about a file with this text: message and hint."""
    with pytest.raises(UsageError) as told:
        load({}, written(text), {})
    assert "\n" not in str(told.value)
    return str(told.value), told.value.hint


def test_defaults(here: Path) -> None:
    """Without file, environment and flags, every setting has its default."""
    config = load({}, None, {})
    assert config == Config()
    assert (config.db, config.depth, config.scope, config.obey_robots) == ("crawl.db", 2, "host", True)


def test_flags_over_environment_over_file_over_defaults(here: Path) -> None:
    """Of several values of one setting, the one given nearest to the run counts."""
    file = written("depth = 1\nthreads = 11\nretries = 5\n")
    environ = {"CRAWL_DEPTH": "7", "CRAWL_THREADS": "12"}
    config = load({"depth": 9}, file, environ)
    assert (config.depth, config.threads, config.retries, config.limit) == (9, 12, 5, 10)


def test_a_file_in_the_working_folder_is_read(here: Path) -> None:
    """./config.toml counts without being named."""
    Path("config.toml").write_text("depth = 4")
    assert load({}, None, {}).depth == 4


def test_a_named_file_replaces_that_of_the_working_folder(here: Path) -> None:
    """Only one file is read, the one that is named."""
    Path("config.toml").write_text("depth = 4\nretries = 4")
    config = load({}, written("retries = 5"), {})
    assert (config.depth, config.retries) == (2, 5)


def test_a_named_file_must_exist(here: Path) -> None:
    """A file that is named and missing is an error, not a default."""
    with pytest.raises(UsageError, match=r"nope\.toml: no such file"):
        load({}, "nope.toml", {})


def test_a_folder_is_no_file(here: Path) -> None:
    """A folder in place of the file is named as what it is."""
    Path("folder").mkdir()
    with pytest.raises(UsageError, match="folder: is a directory"):
        load({}, "folder", {})


def test_every_kind_of_value_in_a_file(here: Path) -> None:
    """Texts, numbers, switches, lists and tables are read as what they are."""
    config = load(
        {},
        written("""
            seeds = ["https://b.example/", "https://a.example"]
            scope = "domain"
            depth = 0
            delay = 1
            max_time = 1.5
            obey_robots = false
            include = ["/docs/*"]
            headers = { Authorization = "Bearer x" }
        """),
        {},
    )
    assert config == Config(
        seeds=("https://b.example/", "https://a.example/"),
        scope="domain",
        depth=0,
        delay=1.0,
        max_time=1.5,
        obey_robots=False,
        include=("/docs/*",),
        headers={"Authorization": "Bearer x"},
    )
    assert isinstance(config.delay, float)


@pytest.mark.parametrize(
    ("text", "place", "reason", "hint"),
    [
        pytest.param("depth = 1\ndepth 2\n", "crawl.toml:2:", "", "", id="syntax error"),
        pytest.param("depth =", "crawl.toml:1", "invalid value", "", id="syntax error at the end"),
        pytest.param('seeds = [\n  "x"', "crawl.toml:2", "unclosed array", "", id="list not closed"),
        pytest.param("depth = 1\nretries = 2\ndepth = 3", "crawl.toml:3:", "overwrite", "", id="duplicate key"),
        pytest.param("\nthreds = 2", "crawl.toml:2:", "unknown key 'threds'", "'threads'", id="misspelt key"),
        pytest.param(
            "depth = 1\nuser-agent = 'x'",
            "crawl.toml:2:",
            "user-agent",
            "'user_agent'",
            id="key with a hyphen",
        ),
        pytest.param("zzqq = 1", "crawl.toml:1:", "unknown key 'zzqq'", "depth", id="key like none"),
        pytest.param("[qqzz]\ndepth = 1", "crawl.toml:1:", "unknown key 'qqzz'", "known keys", id="unknown table"),
        pytest.param('\n\ndepth = "two"', "crawl.toml:3:", "depth is 'two'", "whole number", id="text for a number"),
        pytest.param("depth = 2.0", "crawl.toml:1:", "depth is 2.0", "whole number", id="fraction for a whole number"),
        pytest.param("depth = true", "crawl.toml:1:", "depth is True", "whole number", id="switch for a number"),
        pytest.param("timeout = false", "crawl.toml:1:", "timeout is False", "number", id="switch for a fraction"),
        pytest.param("obey_robots = 1", "crawl.toml:1:", "obey_robots is 1", "true or false", id="number for a switch"),
        pytest.param("db = 1", "crawl.toml:1:", "db is 1", "text", id="number for a text"),
        pytest.param('db = ["x"]', "crawl.toml:1:", "db is ['x']", "text", id="list for a text"),
        pytest.param('seeds = "https://a/"', "crawl.toml:1:", "seeds is", "list of texts", id="text for a list"),
        pytest.param("include = [1]", "crawl.toml:1:", "include is [1]", "list of texts", id="numbers in a list"),
        pytest.param('headers = "x"', "crawl.toml:1:", "headers is 'x'", "table of texts", id="text for a table"),
        pytest.param("headers = {A = 1}", "crawl.toml:1:", "headers is", "table of texts", id="numbers in a table"),
        pytest.param('delay = "soon"', "crawl.toml:1:", "delay is 'soon'", '"auto"', id="text but auto for a number"),
        pytest.param("per_host = 1.5", "crawl.toml:1:", "per_host is 1.5", '"auto"', id="fraction for auto or whole"),
        pytest.param("depth.x = 1", "crawl.toml:1:", "depth is", "whole number", id="table for a number"),
    ],
)
def test_mistakes_in_a_file(here: Path, text: str, place: str, reason: str, hint: str) -> None:
    """A mistake in the file is told with file and line, what is wrong, and what would be right."""
    message, help_ = refusal(text)
    assert message.startswith(place)
    assert reason in message
    assert hint in help_


def test_a_file_that_is_not_utf_8(here: Path) -> None:
    """A file of another encoding is told from one with a mistake."""
    message, hint = refusal(b"db = '\xe4.db'")
    assert message.startswith("crawl.toml: ")
    assert "UTF-8" in message
    assert "UTF-8" in hint


def test_a_byte_order_mark_is_accepted(here: Path) -> None:
    """What some editors put before the text does no harm."""
    assert load({}, written(b"\xef\xbb\xbfdepth = 3"), {}).depth == 3


@pytest.mark.parametrize(
    ("variable", "text", "key", "value"),
    [
        ("CRAWL_DEPTH", "3", "depth", 3),
        ("CRAWL_MAX_TIME", "1.5", "max_time", 1.5),
        ("CRAWL_DELAY", "auto", "delay", "auto"),
        ("CRAWL_DELAY", "2", "delay", 2.0),
        ("CRAWL_PER_HOST", "auto", "per_host", "auto"),
        ("CRAWL_PER_HOST", "2", "per_host", 2),
        ("CRAWL_OBEY_ROBOTS", "0", "obey_robots", False),
        ("CRAWL_OBEY_ROBOTS", "No", "obey_robots", False),
        ("CRAWL_ALLOW_PRIVATE", "TRUE", "allow_private", True),
        ("CRAWL_DB", "a b.db", "db", "a b.db"),
        ("CRAWL_SCOPE", "prefix", "scope", "prefix"),
        (
            "CRAWL_SEEDS",
            "https://a.example/ https://b.example/",
            "seeds",
            ("https://a.example/", "https://b.example/"),
        ),
        ("CRAWL_INCLUDE", "/a/*  /b/*", "include", ("/a/*", "/b/*")),
    ],
)
def test_environment(here: Path, variable: str, text: str, key: str, value: object) -> None:
    """An environment variable is CRAWL_ and the key in capitals; lists are separated by spaces."""
    assert getattr(load({}, None, {variable: text}), key) == value


@pytest.mark.parametrize(
    ("variable", "text", "hint"),
    [
        ("CRAWL_DEPTH", "two", "whole number"),
        ("CRAWL_DEPTH", "1.5", "whole number"),
        ("CRAWL_MAX_PAGES", "", "whole number"),
        ("CRAWL_OBEY_ROBOTS", "maybe", "true or false"),
        ("CRAWL_DELAY", "soon", '"auto"'),
        ("CRAWL_TIMEOUT", "1s", "number"),
    ],
)
def test_mistakes_in_the_environment(here: Path, variable: str, text: str, hint: str) -> None:
    """A mistake in the environment is told by the name of the variable."""
    with pytest.raises(UsageError, match=variable) as told:
        load({}, None, {variable: text})
    assert hint in told.value.hint


def test_other_variables_are_not_ours(here: Path) -> None:
    """What does not begin with CRAWL_ and a key is left alone."""
    assert load({}, None, {"DEPTH": "9", "CRAWL": "9", "CRAWL_OTHER": "9", "crawl_depth": "9"}) == Config()


def test_a_variable_that_is_nearly_one_of_ours_is_a_slip(here: Path) -> None:
    """What nearly is the name of a setting is not ignored in silence."""
    with pytest.raises(UsageError, match="CRAWL_DEPHT is unknown") as caught:
        load({}, None, {"CRAWL_DEPHT": "3"})
    assert caught.value.hint == "did you mean CRAWL_DEPTH?"


def test_headers_come_from_the_environment_a_line_each(here: Path) -> None:
    """A token need not stand in the list of processes."""
    made = load({}, None, {"CRAWL_HEADERS": "Authorization: Bearer x:y\nX-One: 1\n"})
    assert made.headers == {"Authorization": "Bearer x:y", "X-One": "1"}


@pytest.mark.parametrize("name", ["Host", "content-length", "Transfer-Encoding", "User-Agent"])
def test_headers_that_are_the_crawler_s_own(name: str) -> None:
    """What frames a request, or says who asks, is no header for a user to give."""
    with pytest.raises(UsageError, match="crawler's own"):
        Config(headers={name: "5"})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("depth", -1),
        ("threads", 0),
        ("threads", 257),
        ("per_host", 0),
        ("indexers", 0),
        ("delay", -0.1),
        ("delay", float("nan")),
        ("max_time", float("inf")),
        ("timeout", 0.0),
        ("max_size", 0),
        ("retries", -1),
        ("max_pages", -1),
        ("limit", 0),
    ],
)
def test_values_out_of_range(key: str, value: Any) -> None:
    """A number that cannot be used is named, and the range told."""
    with pytest.raises(UsageError, match=key) as told:
        Config(**{key: value})
    assert "from" in told.value.hint


@pytest.mark.parametrize(
    ("key", "value"),
    [("depth", 0), ("threads", 1), ("threads", 256), ("delay", 0.0), ("timeout", 0.1), ("max_pages", 0)],
)
def test_ends_of_ranges(key: str, value: Any) -> None:
    """The lowest and the highest number of a range can be used."""
    assert getattr(Config(**{key: value}), key) == value


@pytest.mark.parametrize(
    "line", ["threads = 0", 'scope = "hots"', 'seeds = ["ftp://example.org/"]', 'headers = {A = "\\n"}']
)
def test_unusable_values_in_a_file_are_told_with_their_place(here: Path, line: str) -> None:
    """A value of the right type that cannot be used is told with file and line as well."""
    message, _ = refusal(f"\n{line}\n")
    assert message.startswith("crawl.toml:2:")


@pytest.mark.parametrize(
    ("variable", "text"),
    [("CRAWL_THREADS", "0"), ("CRAWL_DELAY", "nan"), ("CRAWL_SCOPE", "hots"), ("CRAWL_SEEDS", "ftp://x/")],
)
def test_unusable_values_in_the_environment_are_told_with_their_variable(here: Path, variable: str, text: str) -> None:
    """A value of the right type that cannot be used is told by the name of its variable as well."""
    with pytest.raises(UsageError, match=variable):
        load({}, None, {variable: text})


@pytest.mark.parametrize(("settings", "said"), [({"db": ""}, "db"), ({"scope": "hots"}, "prefix")])
def test_unusable_texts(settings: dict[str, Any], said: str) -> None:
    """An empty path and an unknown scope are refused, and the hint says what would do."""
    with pytest.raises(UsageError) as told:
        Config(**settings)
    assert said in told.value.hint


def test_seeds_are_normalised_and_count_once() -> None:
    """Two spellings of a seed are one seed, in the order given."""
    config = Config(seeds=("HTTPS://Example.org", "http://b.example/#x", "https://example.org:443/"))
    assert config.seeds == ("https://example.org/", "http://b.example/")


@pytest.mark.parametrize(
    ("seed", "message", "hint"),
    [
        pytest.param("example.org/docs", "no scheme", "https://example.org/docs", id="no scheme"),
        pytest.param("localhost:8000", "no scheme", "http://localhost:8000", id="no scheme but a port"),
        pytest.param("ftp://example.org/", "ftp is not crawled", "http or https", id="ftp"),
        pytest.param("file:///etc/passwd", "file is not crawled", "http or https", id="file"),
        pytest.param("javascript:alert(1)", "javascript is not crawled", "http or https", id="javascript"),
        pytest.param("mailto:ada@example.org", "mailto is not crawled", "http or https", id="mailto"),
        pytest.param("", "is not a URL", "https://", id="empty"),
        pytest.param("  ", "is not a URL", "https://", id="spaces"),
        pytest.param("https://exa mple.org/", "is not a URL", "https://", id="space in the host"),
        pytest.param("two words", "is not a URL", "https://", id="words"),
        pytest.param("--depth", "is not a URL", "https://", id="flag"),
        pytest.param("http://", "is not a URL", "https://", id="no host"),
        pytest.param("https:", "is not a URL", "https://example.org/", id="scheme only"),
    ],
)
def test_bad_seeds(seed: str, message: str, hint: str) -> None:
    """A seed that cannot be fetched is named with what is wrong and what would be right."""
    with pytest.raises(UsageError) as told:
        Config(seeds=("https://example.org/", seed))
    assert message in str(told.value)
    assert repr(seed) in str(told.value)
    assert hint in told.value.hint


@pytest.mark.parametrize("seed", ["https://\x1b[2J\x07/", "\u202eexample", "a\nb", "\ud800", "x" * 5000], ids=ascii)
def test_hostile_seeds_are_shown_harmlessly(seed: str) -> None:
    """What cannot be a seed is told in one short line that a terminal can show."""
    with pytest.raises(UsageError) as told:
        Config(seeds=(seed,))
    assert str(told.value).isprintable()
    assert told.value.hint.isprintable()
    assert len(str(told.value)) < 300


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Test", "a\r\nInjected: b"),
        ("X-Test", "a\nb"),
        ("X-Test", "a\0b"),
        ("X-Test", "ü"),
        ("X-Test\r\nInjected", "b"),
        ("X Test", "b"),
        ("X-Test:", "b"),
        ("", "b"),
    ],
)
def test_headers_that_are_none(name: str, value: str) -> None:
    """A header with a line break, or one that is no header at all, is never sent."""
    with pytest.raises(UsageError, match="is not a header"):
        Config(headers={name: value})


def test_a_user_agent_with_a_line_break_is_refused() -> None:
    """The agent is a header like any other."""
    with pytest.raises(UsageError, match="User-Agent"):
        Config(user_agent="crawler\r\nInjected: x")


@pytest.mark.parametrize(
    ("agent", "product"),
    [("crawler/0.1", "crawler"), ("MyBot/2 (+https://example.org/)", "MyBot"), ("bot (x/y)", "bot")],
)
def test_our_product_token(agent: str, product: str) -> None:
    """robots.txt knows us by the name in our user agent."""
    assert Config(user_agent=agent).product == product


def test_fields_of_sites(here: Path) -> None:
    """A site's table names the fields of its pages, and of no other site's."""
    file = written("""
        [site."docs.example.org".fields]
        title = "h1"
        author = "meta[name=author]@content"
        tags = [".tag"]

        [site."localhost:8000".fields]
        price = ".price"
    """)
    config = load({}, file, {})
    assert config.fields_of("https://docs.example.org/a") == {
        "title": Selector("h1"),
        "author": Selector("meta[name=author]", "content"),
        "tags": Selector(".tag", many=True),
    }
    assert config.fields_of("http://localhost:8000/") == {"price": Selector(".price")}
    assert config.fields_of("http://localhost/") is None
    assert config.fields_of("https://example.org/") is None
    assert Config().fields_of("https://docs.example.org/a") is None


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        pytest.param('[site."a.example".fields]\ntitle = "h1["', 2, "'title': not a CSS selector", id="bad selector"),
        pytest.param('[site."a.example".fields]\ntitle = "h1@"', 2, "'title': no attribute name", id="no attribute"),
        pytest.param('[site."a.example".fields]\ntitle = ""', 2, "'title'", id="empty selector"),
        pytest.param('[site."a.example".fields]\nok = "p"\ntitle = 3', 3, "'title' is no selector", id="number"),
        pytest.param('[site."a.example".fields]\ntitle = []', 2, "'title' is no selector", id="empty list"),
        pytest.param('[site."a.example".fields]\ntitle = ["a", "b"]', 2, "'title' is no selector", id="two selectors"),
        pytest.param('[site."a.example"]\nfeilds = {}', 2, "unknown key 'feilds'", id="misspelt fields"),
        pytest.param("depth = 1\nsite = 3", 2, "site is not a table", id="site is no table"),
        pytest.param('[site]\n"a.example" = 3', 2, "is not a table", id="a site is no table"),
        pytest.param(
            '[site."a.example".fields]\ntitle = "h1"\n[site."b.example".fields]\ntitle = "h1["',
            4,
            "'title': not a CSS selector",
            id="a name that another site has too",
        ),
        pytest.param(
            'timeout = 5\n[site."a.example".fields]\ntimeout = "h1["',
            3,
            "'timeout'",
            id="a name that a setting has too",
        ),
    ],
)
def test_mistakes_in_site_tables(here: Path, text: str, line: int, reason: str) -> None:
    """A mistake in a site's table is told with file and line, and names the field."""
    message, _ = refusal(text)
    assert message.startswith(f"crawl.toml:{line}:")
    assert reason in message


def test_a_misspelt_fields_table_is_put_right(here: Path) -> None:
    """The nearest key is suggested in a site's table too."""
    assert "'fields'" in refusal('[site."a.example"]\nfeilds = {}')[1]


def test_a_config_cannot_be_changed() -> None:
    """What all threads share stays as it was made."""
    with pytest.raises(AttributeError):
        Config().depth = 3  # type: ignore[misc]
