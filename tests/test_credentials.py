"""Headers, passwords and cookies go to the servers that they were given for, and nowhere else."""

import ssl
import time
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from crawler import Config, Report
from crawler.cli import run as run_cli
from crawler.config import load
from crawler.credentials import Credentials
from crawler.errors import UsageError
from tests.site import Site
from tests.test_fetch import html
from tests.wire import Wire

Serve = Callable[..., Wire]
Run = Callable[..., Report]
BASIC = "Basic " + b64encode("ann:s3cret päss:word".encode()).decode()


def cookies_file(folder: Path, *lines: str) -> str:
    """A cookies.txt; fields are separated by blanks here."""
    path = folder / "cookies.txt"
    path.write_text("# Netscape HTTP Cookie File\n" + "".join("\t".join(line.split()) + "\n" for line in lines))
    return str(path)


def test_nothing_of_the_user_reaches_another_port_host_or_scheme(
    site: Site, serve: Serve, run: Run, tmp_path: Path
) -> None:
    """After a redirect to another port, host or scheme no header, password or cookie is there; at home all are."""
    other = Site()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    secure = serve(html(b"<p>x"), tls=context)
    try:
        other.page("/port")
        elsewhere = {
            "/to-port": other.url("/port"),
            "/to-host": site.url("/host").replace("127.0.0.1", "localhost"),
            "/to-scheme": secure.url,
        }
        site.page("/", links=elsewhere)
        site.page("/host")
        for path, to in elsewhere.items():
            site.redirect(path, to, 302)
        cookies = cookies_file(tmp_path, "127.0.0.1 FALSE / FALSE 0 id 42", "localhost FALSE / FALSE 0 id 43")
        secrets = {"headers": {"X-Token": "t0ken"}, "auth": "ann:s3cret päss:word", "cookies": cookies}
        run(scope="any", allow_private=True, insecure=True, retries=0, **secrets)
        own, foreign = [site.requests(path)[0].headers for path in ("/", "/host")]
        assert (own["X-Token"], own["Authorization"], own["Cookie"]) == ("t0ken", BASIC, "id=42")
        assert site.requests("/robots.txt")[0].headers["Authorization"] == BASIC
        for headers in (foreign, other.requests("/port")[0].headers, other.requests("/robots.txt")[0].headers):
            assert not {"X-Token", "Authorization", "Cookie"} & set(headers)
        assert secure.paths or secure.requests
        for request in secure.requests:
            assert not any(name in request for name in (b"X-Token", b"Authorization", b"Cookie"))
    finally:
        other.close()


def test_cookies_of_a_file_keep_their_own_rules(site: Site, run: Run, tmp_path: Path) -> None:
    """Domain, path, expiry and Secure decide which cookies a request carries; curl's session cookies are some."""
    later, earlier = int(time.time()) + 3600, int(time.time()) - 3600
    cookies = cookies_file(
        tmp_path,
        f"127.0.0.1 FALSE / FALSE {later} everywhere 1",
        f"#HttpOnly_127.0.0.1 FALSE /docs FALSE {later} docs 2",
        "127.0.0.1 FALSE / FALSE 0 session 3",
        f"127.0.0.1 FALSE / FALSE {earlier} expired 4",
        f"127.0.0.1 FALSE / TRUE {later} secure 5",
        f".example.org TRUE / FALSE {later} foreign 6",
    )
    site.page("/", links=["/docs/a", "/other"])
    site.page("/docs/a")
    site.page("/other", Set_Cookie="from-the-server=7")
    run(cookies=cookies)
    sent = {path: set(site.requests(path)[0].headers["Cookie"].split("; ")) for path in site.paths}
    assert sent == {
        "/": {"everywhere=1", "session=3"},
        "/other": {"everywhere=1", "session=3"},
        "/docs/a": {"everywhere=1", "session=3", "docs=2"},
    }


def test_cookies_and_a_header_of_cookies_go_together(site: Site, run: Run, tmp_path: Path) -> None:
    """A Cookie header of the user's own and those of the file are one header."""
    site.page("/")
    run(cookies=cookies_file(tmp_path, "127.0.0.1 FALSE / FALSE 0 id 42"), headers={"cookie": "own=1"})
    assert site.requests("/")[0].headers["cookie"] == "own=1; id=42"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"id=42\n", "no cookies.txt"),
        (b"# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\tsecret-42\n", "an invalid line"),
        (b"# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\tsoon\tid\tsecret-42\n", "an invalid line"),
        (b"\xff\xfe\x00binary", "no cookies.txt"),
        (None, "no such file or directory"),
    ],
    ids=["something else", "too few fields", "no time", "binary", "missing"],
)
def test_a_file_that_holds_no_cookies_is_refused(
    site: Site, db: Path, tmp_path: Path, content: bytes | None, told: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """One line says what is wrong with the file, without what is in it; nothing is requested, nothing written."""
    file = tmp_path / "cookies.txt"
    if content is not None:
        file.write_bytes(content)
    assert run_cli(["--seed", site.url(), "--db", str(db), "--cookies", str(file)]) == 2
    said = capfd.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 2)
    assert said.err.startswith(f"error: {file}: {told}")
    assert "secret-42" not in said.err
    assert not site.asked
    assert not db.exists()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"auth": "ann"}, "no user name and password"),
        ({"auth": "ann:s3\ncret"}, "no user name and password"),
        ({"auth": "ann:s3cret", "headers": {"authorization": "x"}}, "two Authorization headers"),
        ({"proxy": "ftp://me:s3cret@proxy/"}, "begins with none of"),
        ({"proxy": "http://me:s3cret@proxy:99999"}, "its port is no port"),
        ({"proxy": "http://me:s3cret@:80"}, "not just a host"),
        ({"proxy": "http://me:s3cret@proxy/path"}, "not just a host"),
        ({"proxy": "socks5://me:" + "s3cret" * 50 + "@proxy"}, "too long"),
        ({"proxy": "http://[s3cret"}, "cannot be used"),
    ],
)
def test_credentials_that_cannot_be_used_are_refused_without_being_shown(
    settings: dict[str, object], told: str
) -> None:
    """What is wrong is said in one line that holds no password."""
    with pytest.raises(UsageError, match=told) as raised:
        Config(**settings)  # type: ignore[arg-type]
    assert "s3cret" not in f"{raised.value} {raised.value.hint}"


def test_a_secret_of_the_wrong_type_is_not_shown(tmp_path: Path) -> None:
    """A mistake in the file is reported by its place, not by its value."""
    file = tmp_path / "c.toml"
    file.write_text('auth = ["ann", "s3cret"]\n')
    with pytest.raises(UsageError, match=r"c\.toml:1: auth is something else") as raised:
        load({}, str(file), {})
    assert "s3cret" not in str(raised.value)
    assert "s3cret" not in repr(Config(auth="ann:s3cret", proxy="http://a:s3cret@b", headers={"X": "s3cret"}))


def test_a_password_is_neither_stored_nor_printed(
    site: Site, db: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """No file beside the index, no message and no result holds the password, in clear or encoded."""
    site.page("/", links=["/moved", "http://127.0.0.1:1/"])
    site.redirect("/moved", "/")
    command = ["--seed", site.url(), "--db", str(db), "-v", "--json", "--auth", "ann:s3cret-w0rd", "--scope", "any"]
    assert run_cli([*command, "--proxy", "http://ann:s3cret-w0rd@127.0.0.1:1/"]) == 4
    assert run_cli([*command, "--fresh"]) == 0
    for looking in (["status"], ["why", site.url()], ["why", "http://127.0.0.1:1/"], ["doctor"]):
        run_cli([*looking, "--db", str(db), "--json"])
    said = capfd.readouterr()
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for secret in ("s3cret-w0rd", b64encode(b"ann:s3cret-w0rd").decode()):
        assert secret not in said.out + said.err
        assert secret.encode() not in written


def test_a_proxy_and_a_password_come_from_our_own_variables(tmp_path: Path) -> None:
    """CRAWL_AUTH and CRAWL_PROXY are settings as any; HTTP_PROXY is none."""
    config = load({}, None, {"CRAWL_AUTH": "a:b", "CRAWL_PROXY": "socks5h://p:1", "HTTP_PROXY": "http://q:2"})
    assert (config.auth, config.proxy) == ("a:b", "socks5h://p:1")
    assert load({}, None, {"HTTP_PROXY": "http://q:2", "CRAWL_INSECURE": "1"}) == Config()


def test_a_cookie_of_a_host_is_not_that_of_its_subdomains(tmp_path: Path) -> None:
    """FALSE in the second column of a cookies.txt means this very host; TRUE means those below it, too."""
    file = tmp_path / "cookies.txt"
    file.write_text(
        "# Netscape HTTP Cookie File\n"
        "example.com\tFALSE\t/\tFALSE\t0\tOWN\tsecret\n"
        ".example.com\tTRUE\t/\tFALSE\t0\tALL\tshared\n"
    )
    given = Credentials.of(("http://example.com/",), {}, "", str(file))
    assert given.for_url("http://evil.example.com/") == {"Cookie": "ALL=shared"}
    assert "OWN=secret" in given.for_url("http://example.com/")["Cookie"]


def test_another_origin_s_robots_txt_leads_as_nobody(site: Site, run: Run) -> None:
    """A robots.txt that redirects to a seed of the user's does not ask there in the user's name."""
    stranger = Site()
    stranger.redirect("/robots.txt", site.url("/admin"))
    stranger.page("/")
    site.page("/")
    run(seeds=(site.url(), stranger.url()), headers={"X-Secret": "1"})
    assert [seen.headers.get("X-Secret") for seen in site.requests("/admin")] == [None]
    assert [seen.headers.get("X-Secret") for seen in site.requests("/")] == ["1"]
    stranger.close()
