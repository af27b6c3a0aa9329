"""A registry that is broken, guarded or another kind of server: each answer is told in a sentence."""

import datetime
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from stbuild.errors import StbuildError
from stbuild.publish.fetching import fetch
from stbuild.publish.reference import Reference, parse_reference
from tests.publish.registry import Exchange, proxy
from tests.publish.sample import KeyPair, put, sample

Reply = tuple[int, dict[str, str], bytes]
NOWHERE = "127.0.0.1:1"
NOTHING: Reply = (404, {}, b"")


def bearer(text: str) -> Reply:
    return (401, {"WWW-Authenticate": f"Bearer {text}"}, b"")


TO_TOKEN = bearer('realm="http://HOST/token",service="x"')
LIMIT = b'{"errors":[{"message":"you have reached your pull rate limit"}]}'
DENIED = b'{"errors":[{"code":"DENIED"}]}'
ESCAPES = b'{"errors":[{"message":"\\u001b[31mred\\u0007"}]}'


@pytest.mark.parametrize(
    ("asked", "token", "sentence"),
    [
        (bearer("realm"), NOTHING, "does not say where it gives tokens"),
        (bearer('service="x"'), NOTHING, "does not say where it gives tokens"),
        (TO_TOKEN, (200, {}, b"[1]"), "/token gives no token: it answers 200 OK"),
        (TO_TOKEN, (200, {}, b"<html>"), "/token gives no token: it answers 200 OK"),
        (TO_TOKEN, (500, {}, b""), "/token gives no token: it answers 500 Internal Server Error"),
        (TO_TOKEN, (401, {}, b""), "wants credentials, and none are known"),
        ((429, {"Retry-After": "30"}, LIMIT), NOTHING, "429 Too Many Requests to GET: you have reached your"),
        ((302, {"Location": "/"}, b""), NOTHING, "leads to no answer: Exceeded 30 redirects"),
        ((302, {"Location": "ftp://x/y"}, b""), NOTHING, "leads to no answer: No connection adapters"),
        ((500, {}, ESCAPES), NOTHING, r"to GET: \?\[31mred\?$"),
        (
            (400, {}, b"Client sent an HTTP request to an HTTPS server.\n"),
            NOTHING,
            r"the registry speaks TLS, and was asked without \(name another host than localhost",
        ),
    ],
)  # fmt: skip
def test_a_registry_that_answers_otherwise_is_told(
    asked: Reply, token: Reply, sentence: str, key: KeyPair
) -> None:
    def rule(exchange: Exchange) -> None:
        status, headers, body = token if exchange.path.startswith("/token") else asked
        here = {name: text.replace("HOST", exchange.headers["Host"]) for name, text in headers.items()}
        exchange.reply = (status, here, body)

    with proxy(NOWHERE, rule) as host, pytest.raises(StbuildError, match=sentence) as told:
        fetch(parse_reference(f"oci://{host}/lab/small"), key=key.public)
    assert told.value.exit_code == 1


@pytest.mark.parametrize(
    ("opened", "sentence"),
    [
        ((202, {}, b""), "the registry opens an upload without saying where"),
        ((202, {"Location": "http://[bad"}, b""), "the registry opens an upload without saying where"),
        ((403, {}, DENIED), "may not be written to without credentials, and none are known"),
        ((405, {}, DENIED), r"the registry takes nothing: it is read-only \(publish to another registry\)"),
    ],
)
def test_a_registry_that_takes_nothing_is_told(
    opened: Reply, sentence: str, key: KeyPair, tmp_path: Path
) -> None:
    def rule(exchange: Exchange) -> None:
        exchange.reply = NOTHING if exchange.method in ("GET", "HEAD") else opened

    with proxy(NOWHERE, rule) as host, pytest.raises(StbuildError, match=sentence) as told:
        put(sample(tmp_path / "a"), parse_reference(f"oci://{host}/lab/small"), key)
    assert told.value.exit_code == 1


def test_a_manifest_that_is_refused_is_named_by_its_digest(key: KeyPair, tmp_path: Path) -> None:
    def rule(exchange: Exchange) -> None:
        exchange.reply = (200 if exchange.method == "HEAD" else 404, {}, b"")
        if exchange.method == "PUT":
            exchange.reply = (500, {}, b"")

    with proxy(NOWHERE, rule) as host, pytest.raises(StbuildError, match=r"lab/small@sha256:[0-9a-f]{64}: "):
        put(sample(tmp_path / "a"), parse_reference(f"oci://{host}/lab/small"), key)


@contextmanager
def tls_server(folder: Path) -> Iterator[tuple[str, Path]]:
    """The host of a server whose certificate nobody has signed, and that certificate."""
    certificate = _self_signed(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, folder / "tls.key")
    server = _Quiet(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}", certificate
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """A client that ends the handshake is what the test wants."""


def _self_signed(folder: Path) -> Path:
    key, today = Ed25519PrivateKey.generate(), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    day = datetime.timedelta(days=1)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, today - day, today + day)
    certificate = builder.add_extension(address, critical=False).sign(key, None)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "tls.key").write_bytes(pem)
    (folder / "tls.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    return folder / "tls.pem"


def test_a_certificate_that_nobody_has_signed_is_told_with_what_helps(
    tmp_path: Path, key: KeyPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tls_server(tmp_path) as (host, certificate):
        reference = Reference(host=host, repository="lab/small", scheme="https")
        sentence = r"certificate of 127\.0\.0\.1:\d+ is not trusted: self-signed .*\(\$REQUESTS_CA_BUNDLE"
        with pytest.raises(StbuildError, match=sentence):
            fetch(reference, key=key.public)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        with pytest.raises(StbuildError, match="the registry answers 501"):
            fetch(reference, key=key.public)
        other = Reference(host=host.replace("127.0.0.1", "localhost"), repository="x", scheme="https")
        sentence = r"Hostname mismatch.* not valid for 'localhost'.*\(name the registry as its certificate"
        with pytest.raises(StbuildError, match=sentence):
            fetch(other, key=key.public)
