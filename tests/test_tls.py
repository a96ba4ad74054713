"""TLS: verified, its errors named, its handshake bounded; and --insecure, which says that it is."""

import datetime
import ssl
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import certifi
import pytest
import trustme

from crawler import Config, crawl, transport
from crawler.cli import run as run_cli
from crawler.summaries import summary
from crawler.transport import FetchError
from tests.test_fetch import fetcher
from tests.wire import Wire, read_request

Serve = Callable[..., Wire]
PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 14\r\n\r\n<h1>safe</h1>x"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The crawler's authorities are the test's own, for once."""
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setattr(certifi, "where", lambda: str(tmp_path / "ca.pem"))
    transport.tls_context.cache_clear()
    yield
    transport.tls_context.cache_clear()


def context_of(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def self_signed(_: trustme.CA) -> ssl.SSLContext:
    own = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with own.cert_pem.tempfile() as certificate, own.private_key_pem.tempfile() as key:
        context.load_cert_chain(certificate, key)
    return context


def of_an_unknown_authority(_: trustme.CA) -> ssl.SSLContext:
    return context_of(trustme.CA().issue_cert("127.0.0.1"))


def expired(authority: trustme.CA) -> ssl.SSLContext:
    now = datetime.datetime.now(datetime.UTC)
    back = datetime.timedelta
    return context_of(authority.issue_cert("127.0.0.1", not_before=now - back(9), not_after=now - back(1)))


def of_another_host(authority: trustme.CA) -> ssl.SSLContext:
    return context_of(authority.issue_cert("other.example"))


def too_old(authority: trustme.CA) -> ssl.SSLContext:
    context = context_of(authority.issue_cert("127.0.0.1"))
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


@pytest.mark.parametrize(
    ("certificate", "cause"),
    [
        (self_signed, "self-signed certificate"),
        (of_an_unknown_authority, "unable to get local issuer certificate"),
        (expired, "certificate has expired"),
        (of_another_host, "certificate is not valid for '127.0.0.1'"),
        (too_old, "protocol"),
    ],
)
@pytest.mark.usefixtures("trusted")
def test_a_tls_error_names_its_cause(
    serve: Serve, authority: trustme.CA, certificate: Callable[[trustme.CA], ssl.SSLContext], cause: str
) -> None:
    """Whatever is wrong with a certificate or the protocol is a tls-error that says what, and no request is sent."""
    wire = serve(PAGE, tls=certificate(authority))
    with fetcher() as some, pytest.raises(FetchError, match=cause) as raised:
        some.get(wire.url)
    assert (raised.value.reason, raised.value.transient) == ("tls-error", False)
    assert "_ssl.c" not in raised.value.detail
    assert wire.requests == []


@pytest.mark.usefixtures("trusted")
def test_a_verified_connection_is_kept(serve: Serve, authority: trustme.CA) -> None:
    """A page comes over TLS when the certificate is right, and the next one over the same connection."""

    def talk(connection: ssl.SSLSocket) -> None:
        connection.sendall(PAGE)
        while read_request(connection):
            connection.sendall(PAGE)

    wire = serve(talk, tls=context_of(authority.issue_cert("127.0.0.1")))
    with fetcher() as some:
        assert [some.get(wire.url).body for _ in range(3)] == [b"<h1>safe</h1>x"] * 3
    assert wire.connections == 1


@pytest.mark.parametrize("drips", [False, True])
def test_a_stalled_handshake_ends_by_the_deadline(serve: Serve, drips: bool) -> None:
    """A server that never finishes the handshake, or sends a byte of it now and then, holds a thread no longer."""

    def stall(connection: ssl.SSLSocket) -> None:
        if drips:  # the head of a TLS record of 16 KiB
            connection.sendall(b"\x16\x03\x03\x40\x00\x02")
        while not wire.stopping.wait(0.05):
            if drips:
                connection.sendall(b"\0")

    wire = serve(stall, deaf=True)
    began = time.monotonic()
    with fetcher(timeout=0.6) as some, pytest.raises(FetchError, match="TLS handshake") as raised:
        some.get(wire.url.replace("http:", "https:"))
    assert (raised.value.reason, raised.value.transient) == ("timeout", True)
    assert time.monotonic() - began < 5  # the server itself would go on for ever


def test_a_handshake_can_be_aborted_from_another_thread(serve: Serve) -> None:
    """abort() ends a handshake that would last until the deadline."""
    there = threading.Event()

    def stall(_: ssl.SSLSocket) -> None:
        there.set()
        wire.stopping.wait()

    wire = serve(stall, deaf=True)
    errors: list[FetchError] = []
    some = fetcher(timeout=60.0)

    def get() -> None:
        with pytest.raises(FetchError) as raised:
            some.get(wire.url.replace("http:", "https:"))
        errors.append(raised.value)

    thread = threading.Thread(target=get)
    thread.start()
    assert there.wait(10)
    while thread.is_alive():
        some.abort()
        thread.join(0.02)
    some.close()
    assert len(errors) == 1


def test_insecure_takes_any_certificate_for_one_run_and_says_so(
    serve: Serve, db: Path, authority: trustme.CA, capfd: pytest.CaptureFixture[str]
) -> None:
    """With --insecure a self-signed site is indexed, and the summary says what that means; without, it is not again."""

    def talk(connection: ssl.SSLSocket) -> None:
        connection.sendall(PAGE)

    robots = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    wire = serve(talk, tls=self_signed(authority), robots=robots)
    command = ["--seed", wire.url, "--db", str(db)]
    assert run_cli([*command, "--insecure"]) == 0
    said = capfd.readouterr().err
    assert "Indexed 1 page" in said
    assert "not verified (--insecure)" in said
    assert run_cli([*command, "--fresh"]) == 4
    assert "self-signed certificate" in capfd.readouterr().err


def test_a_verified_run_says_nothing_of_certificates(run: Callable[..., object], db: Path) -> None:
    """The line about certificates belongs to --insecure."""
    report = crawl(Config(seeds=("http://127.0.0.1:1/",), db=str(db), retries=0))
    assert "ertificate" not in summary(report, str(db))


def test_authorities_of_the_environment_are_ignored(
    serve: Serve, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever sets REQUESTS_CA_BUNDLE or SSL_CERT_FILE does not decide whom the crawler trusts."""
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "ca.pem"))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9/")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9/")
    transport.tls_context.cache_clear()
    wire = serve(PAGE, tls=context_of(authority.issue_cert("127.0.0.1")))
    with fetcher() as some, pytest.raises(FetchError, match="unable to get local issuer certificate"):
        some.get(wire.url)
    assert wire.connections == 1
