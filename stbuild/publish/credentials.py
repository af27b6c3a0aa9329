"""The credentials of a registry's host, as `docker login`, `podman login` and `oras login` keep them."""

import base64
import binascii
import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stbuild.errors import StbuildError

_HELPER_S = 30
_DOCKER_HUB = "https://index.docker.io/v1/"


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """A user of a host; the secret is in no text of this value."""

    user: str
    secret: str = field(repr=False)
    source: str

    @property
    def basic(self) -> str:
        """The header Authorization."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.secret}".encode()).decode()


def credentials_for(host: str) -> Credentials | None:
    """What the first of the files of Docker and containers says of `host`, itself or by its helper."""
    for path in _files():
        try:
            config = json.loads(path.read_text())
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is not JSON"
            raise StbuildError(f"the credentials cannot be read: {reason}", where=str(path)) from None
        if isinstance(config, dict) and (found := _of_file(config, host, path)):
            return found
    return None


def _files() -> tuple[Path, ...]:
    home = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    named = [Path(os.environ["REGISTRY_AUTH_FILE"])] if os.environ.get("REGISTRY_AUTH_FILE") else []
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return (*named, home / "config.json", config / "containers/auth.json")


def _of_file(config: dict[str, Any], host: str, path: Path) -> Credentials | None:
    names = (host, f"https://{host}", f"http://{host}", *([_DOCKER_HUB] if host == "docker.io" else []))
    for name in names:
        helper = _map(config, "credHelpers").get(name)
        if isinstance(helper, str):
            return _helped(helper, name)
        entry = _map(config, "auths").get(name)
        if isinstance(entry, dict) and isinstance(entry.get("auth"), str) and entry["auth"]:
            return _decoded(entry["auth"], path)
        if isinstance(entry, dict) and isinstance(config.get("credsStore"), str):
            return _helped(config["credsStore"], name)
    return None


def _map(config: dict[str, Any], name: str) -> dict[str, Any]:
    value = config.get(name)
    return value if isinstance(value, dict) else {}


def _decoded(text: str, path: Path) -> Credentials:
    try:
        user, colon, secret = base64.b64decode(text, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        colon = ""
    if not colon:
        raise StbuildError("an `auth` is not a user and a password in base64", where=str(path))
    return Credentials(user=user, secret=secret, source=str(path))


def _helped(helper: str, name: str) -> Credentials:
    """What a credential helper says; its own message goes nowhere, since it may hold a secret."""
    program = f"docker-credential-{helper}"
    try:
        done = subprocess.run(
            [program, "get"], input=name, capture_output=True, text=True, timeout=_HELPER_S, check=True
        )
        found = json.loads(done.stdout)
        return Credentials(user=str(found["Username"]), secret=str(found["Secret"]), source=program)
    except FileNotFoundError:
        raise StbuildError(f"the program {program} is not on PATH, which has the credentials") from None
    except (subprocess.SubprocessError, ValueError, KeyError, TypeError):
        raise StbuildError(f"{program} gives no credentials of {name}", exit_code=1) from None
