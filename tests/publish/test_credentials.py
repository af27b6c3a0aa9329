"""Credentials of a registry: found where others keep them, sent where they belong, and shown nowhere."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import bcrypt
import pytest

from stbuild.errors import StbuildError
from stbuild.publish.fetching import fetch
from stbuild.publish.reference import Reference, parse_reference
from tests.publish.registry import Exchange, RegistryServer, proxy, registry
from tests.publish.sample import KeyPair, put, sample

SECRET = "correct horse"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RegistryServer]:
    """A registry that takes everything."""
    with registry(tmp_path) as found:
        yield found


def at(host: str) -> Reference:
    return parse_reference(f"oci://{host}/lab/small")


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[RegistryServer]:
    """A registry that wants a password."""
    hashed = bcrypt.hashpw(SECRET.encode(), bcrypt.gensalt(5)).decode()
    (tmp_path / "htpasswd").write_text(f"lab:{hashed}\n")
    with registry(tmp_path, password_file=tmp_path / "htpasswd") as found:
        yield found


def log_in(home: Path, host: str, password: str) -> None:
    """What `docker login` writes."""
    auth = base64.b64encode(f"lab:{password}".encode()).decode()
    (home / "docker").mkdir(parents=True, exist_ok=True)
    (home / "docker/config.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}))


def test_credentials_are_those_of_docker_login_and_are_never_shown(
    tmp_path: Path, guarded: RegistryServer, key: KeyPair, home: Path
) -> None:
    built = sample(tmp_path / "a")
    with pytest.raises(StbuildError, match=r"wants credentials, and none are known \(`docker login"):
        put(built, at(guarded.host), key)
    log_in(home, guarded.host, "wrong")
    with pytest.raises(StbuildError, match=r"those of 'lab' in .*config\.json are refused") as told:
        put(built, at(guarded.host), key)
    assert "wrong" not in str(told.value)
    log_in(home, guarded.host, SECRET)
    put(built, at(guarded.host), key)
    fetch(at(guarded.host), key=key.public)


def test_a_credential_helper_is_asked(
    tmp_path: Path, guarded: RegistryServer, key: KeyPair, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper = tmp_path / "bin/docker-credential-lab"
    helper.parent.mkdir()
    helper.write_text(f'#!/bin/sh\nread host; echo \'{{"Username": "lab", "Secret": "{SECRET}"}}\'\n')
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", str(helper.parent), prepend=":")
    (home / "docker").mkdir(parents=True)
    (home / "docker/config.json").write_text(json.dumps({"credHelpers": {guarded.host: "lab"}}))
    put(sample(tmp_path / "a"), at(guarded.host), key)
    helper.write_text(f"#!/bin/sh\necho {SECRET} >&2; exit 1\n")
    with pytest.raises(StbuildError, match="docker-credential-lab gives no credentials of") as told:
        put(sample(tmp_path / "b"), at(guarded.host), key)
    assert SECRET not in str(told.value)


@pytest.mark.parametrize("text", ["{", "[]", '{"auths": {"HOST": {"auth": "???"}}}', '{"auths": 3}'])
def test_a_damaged_file_of_credentials_is_a_sentence(
    tmp_path: Path, server: RegistryServer, key: KeyPair, home: Path, text: str
) -> None:
    (home / "docker").mkdir(parents=True)
    (home / "docker/config.json").write_text(text.replace("HOST", server.host))
    try:
        put(sample(tmp_path / "a"), at(server.host), key)
    except StbuildError as error:
        assert "docker/config.json" in str(error)


class TokenServer:
    """Wants a token for what is asked of the registry, and gives it for the credentials."""

    def __init__(self, *, realm: str = "") -> None:
        self.realm = realm
        self.asked: list[str] = []

    def __call__(self, exchange: Exchange) -> None:
        host, sent = exchange.headers["Host"], exchange.headers.get("Authorization", "")
        if exchange.path.startswith("/token"):
            self.asked.append(exchange.path)
            basic = "Basic " + base64.b64encode(f"lab:{SECRET}".encode()).decode()
            body = json.dumps({"token": "abc"}).encode() if sent == basic else b"{}"
            exchange.reply = (200 if sent == basic else 401, {}, body)
        elif sent != "Bearer abc":
            realm = self.realm or f"http://{host}/token"
            challenge = f'Bearer realm="{realm}",service="lab",scope="repository:lab/small:pull,push"'
            exchange.reply = (401, {"WWW-Authenticate": challenge}, b"")


def test_a_token_is_asked_for_once_and_only_with_the_right_credentials(
    tmp_path: Path, server: RegistryServer, key: KeyPair, home: Path
) -> None:
    tokens = TokenServer()
    with proxy(server.host, tokens) as host:
        log_in(home, host, "wrong")
        with pytest.raises(StbuildError, match=r"those of 'lab' in .*config\.json are refused"):
            put(sample(tmp_path / "a"), at(host), key)
        log_in(home, host, SECRET)
        tokens.asked.clear()
        put(sample(tmp_path / "b"), at(host), key)
        assert "scope=repository%3Alab%2Fsmall%3Apull%2Cpush" in tokens.asked[0]
        assert len(tokens.asked) <= 2
        fetch(at(host), key=key.public)


def test_credentials_are_not_sent_to_a_realm_without_tls_for_a_registry_with_it(
    tmp_path: Path, server: RegistryServer, key: KeyPair, home: Path
) -> None:
    with proxy(server.host, TokenServer(realm="ftp://evil.example/token")) as host:
        log_in(home, host, SECRET)
        with pytest.raises(StbuildError, match=r"sends credentials to 'ftp://evil\.example/token'"):
            put(sample(tmp_path / "a"), at(host), key)
