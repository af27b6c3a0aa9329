"""Where something is published: `oci://HOST/REPOSITORY:TAG`, or a folder as `oci:PATH:TAG` or a path."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

from stbuild.errors import StbuildError

LATEST = "latest"
_SCHEMES = {"oci://": "https", "oci+http://": "http"}
_FOLDER = "oci:"
_HOST = re.compile(r"[A-Za-z0-9.-]+(?::\d{1,5})?|\[[0-9a-fA-F:]+\](?::\d{1,5})?")
_REPOSITORY = re.compile(
    r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*)*"
)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_RESERVED = re.compile(r"sha256-[0-9a-f]{64}.*")
_PORTS = 1 << 16
_LOCAL = re.compile(r"(?:localhost|127(?:\.\d+){3}|\[::1\])(?::\d+)?")
FORM = "write oci://HOST/REPOSITORY:TAG, oci://HOST/REPOSITORY@sha256:…, or a folder"


@dataclass(frozen=True, kw_only=True)
class Reference:
    """One version in a registry (`host`) or in an OCI image layout (`folder`), by tag or by digest."""

    tag: str = LATEST
    digest: str = ""
    host: str = ""
    repository: str = ""
    scheme: str = "https"
    folder: Path | None = None

    @property
    def place(self) -> str:
        """The repository or folder, without tag and digest: what keys and versions are remembered for."""
        return f"oci://{self.host}/{self.repository}" if self.folder is None else f"oci:{self.folder}"

    def at(self, digest: str) -> "Reference":
        """The same place, by digest."""
        return replace(self, digest=digest)

    def __str__(self) -> str:
        return f"{self.place}@{self.digest}" if self.digest else f"{self.place}:{self.tag}"


def is_reference(text: str) -> bool:
    """Whether `text` can only mean something published, never a target."""
    return text.startswith((*_SCHEMES, _FOLDER))


def parse_reference(text: str) -> Reference:
    """The place that `text` names, by one name however it is spelt, so that its key is remembered for it.

    Registries on this machine are spoken to without TLS, as Docker does.
    """
    for prefix, scheme in _SCHEMES.items():
        if text.startswith(prefix):
            return _registry(text, text.removeprefix(prefix), scheme)
    return _folder(text, text.removeprefix(_FOLDER))


def _registry(text: str, body: str, scheme: str) -> Reference:
    host, slash, rest = body.partition("/")
    if "@" in host:
        message = "a host is given with '@': a place of a publication takes no user and no password"
        raise StbuildError(message, hint=f"{FORM}; `docker login` keeps credentials")
    if not slash or not _HOST.fullmatch(host):
        raise _malformed(text, f"{host!r} is not a host" if host else "it names no host")
    port = host.rpartition(":")[2]
    if port.isdecimal() and int(port) >= _PORTS:
        raise _malformed(text, f"{port} is not a port")
    host = host.lower()
    rest, tag, digest = _version(text, rest)
    if not _REPOSITORY.fullmatch(rest):
        raise _malformed(
            text, f"{rest!r} is not a repository (lower-case letters, digits, '/', '.', '_', '-')"
        )
    local = _LOCAL.fullmatch(host) is not None
    chosen = "http" if local else scheme
    return Reference(tag=tag, digest=digest, host=host, repository=rest, scheme=chosen)


def _folder(text: str, body: str) -> Reference:
    path, tag, digest = _version(text, body)
    if not path:
        raise _malformed(text, "it names no folder")
    return Reference(tag=tag, digest=digest, folder=Path(path).expanduser().resolve())


def _version(text: str, body: str) -> tuple[str, str, str]:
    """What stands before tag and digest, the tag, and the digest."""
    body, at, digest = body.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        raise _malformed(text, f"{digest!r} is not sha256: and 64 hexadecimal digits")
    path, colon, tag = body.rpartition(":")
    if not colon or "/" in tag:
        return body, LATEST, digest
    if not _TAG.fullmatch(tag) or _RESERVED.fullmatch(tag):
        raise _malformed(text, f"{tag!r} is not a tag")
    return path, tag, digest


def _malformed(text: str, why: str) -> StbuildError:
    return StbuildError(f"{text!r} is no place of a publication: {why}", hint=FORM)
