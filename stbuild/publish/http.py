"""Requests to a registry: credentials, tokens, redirects, and a sentence for each way in which they fail."""

import re
from collections.abc import Mapping
from threading import Lock
from typing import Any
from urllib.parse import urlsplit
from urllib.request import parse_http_list, parse_keqv_list

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from stbuild.errors import StbuildError
from stbuild.publish.credentials import credentials_for
from stbuild.publish.printable import printable
from stbuild.publish.reference import Reference
from stbuild.publish.storage import CONNECTIONS

_CONNECT_S, _READ_S = 10, 60
_BLOCK = 1 << 18
_ERROR_BYTES = 4096


class Http:
    """The requests of one repository; the credentials go to its own host and token server only."""

    def __init__(self, reference: Reference) -> None:
        self._reference = reference
        self._credentials = credentials_for(reference.host)
        self._authorization = ""
        self._authorizing = Lock()
        self._session = requests.Session()
        self._session.headers.update({"User-Agent": "stbuild", "Accept-Encoding": "identity"})
        self._session.mount("http://", _Adapter())
        self._session.mount("https://", _Adapter())

    def ask(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        data: Any = None,
        stream: bool = False,
    ) -> requests.Response:
        """The answer; a 401 is answered once by credentials or a token."""
        used = self._authorization
        answer = self._once(method, url, headers or {}, data, stream)
        if answer.status_code == 401:
            answer.close()
            with self._authorizing:
                if self._authorization == used:  # Else another thread has just done it.
                    self._authorization = self._authorize(answer)
            answer = self._once(method, url, headers or {}, data, stream)
        if answer.status_code in (401, 403):
            raise self._denied(answer, method)
        return answer

    def unreachable(self, error: Exception) -> StbuildError:
        """The sentence for a connection that cannot be made or was cut."""
        host = self._reference.host
        if "CERTIFICATE_VERIFY_FAILED" in repr(error):
            why = _WHY.search(repr(error).replace("\\'", "'"))
            message = f"the certificate of {host} is not trusted{f': {why[1]}' if why else ''}"
            hint = "$REQUESTS_CA_BUNDLE names a file with the certificates that are"
            if "mismatch" in message:
                hint = "name the registry as its certificate does"
            return StbuildError(message, hint=hint, exit_code=1)
        if isinstance(error, requests.exceptions.SSLError):
            hint = f"a registry without TLS is written oci+http://{host}/…"
            return StbuildError(f"{host} does not speak TLS as it should", hint=hint, exit_code=1)
        if isinstance(error, (requests.TooManyRedirects, ValueError)):  # of requests, such as InvalidURL
            return StbuildError(f"the registry {host} leads to no answer: {printable(error)}", exit_code=1)
        if isinstance(error, requests.Timeout):
            return StbuildError(f"the registry {host} does not answer", hint=_RETRY, exit_code=1)
        if "NameResolution" in repr(error):
            return StbuildError(f"there is no host {host}", hint="is the name right?", exit_code=1)
        if "Connection refused" in repr(error):
            hint = "does it run, and is the port right?"
            return StbuildError(
                f"the registry {host} cannot be reached: connection refused", hint=hint, exit_code=1
            )
        return StbuildError(f"the registry {host} cannot be reached", hint=_RETRY, exit_code=1)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _once(
        self, method: str, url: str, headers: Mapping[str, str], data: Any, stream: bool
    ) -> requests.Response:
        sent = dict(headers)
        if self._authorization and urlsplit(url).netloc == self._reference.host:
            sent["Authorization"] = self._authorization
        wait = (_CONNECT_S, _READ_S)
        return self._session.request(
            method, url, headers=sent, data=data, stream=stream, timeout=wait, auth=_no_netrc
        )

    def _authorize(self, answer: requests.Response) -> str:
        """What the challenge of an answer asks for: basic credentials, or a token of its realm."""
        scheme, _, rest = answer.headers.get("WWW-Authenticate", "").partition(" ")
        if scheme.lower() == "basic":
            if self._credentials is None:
                raise self._denied(answer, "")
            return self._credentials.basic
        if scheme.lower() != "bearer":
            raise self._denied(answer, "")
        parts = [part for part in parse_http_list(rest) if "=" in part]
        return f"Bearer {self._token(parse_keqv_list(parts))}"

    def _token(self, challenge: Mapping[str, str]) -> str:
        realm = challenge.get("realm", "")
        if not realm:
            message = f"the registry {self._reference.host} does not say where it gives tokens"
            raise StbuildError(message, exit_code=1)
        if urlsplit(realm).scheme not in ("https", self._reference.scheme):
            message = f"the registry {self._reference.host} sends credentials to {realm!r}, without TLS"
            raise StbuildError(message, hint="they were not sent", exit_code=1)
        asked = {name: challenge[name] for name in ("service", "scope") if name in challenge}
        headers = {"Authorization": self._credentials.basic} if self._credentials else {}
        wait = (_CONNECT_S, _READ_S)
        answer = self._session.get(realm, params=asked, headers=headers, timeout=wait, auth=_no_netrc)
        if answer.status_code in (401, 403):
            raise self._denied(answer, "")
        try:
            found = answer.json() if answer.status_code == 200 else {}
            token = found.get("token") or found.get("access_token")
        except (ValueError, AttributeError):
            token = None
        if not token:
            message = f"{realm} gives no token: it answers {answer.status_code} {answer.reason}"
            raise StbuildError(printable(message), exit_code=1)
        return str(token)

    def _denied(self, answer: requests.Response, method: str) -> StbuildError:
        host, known = self._reference.host, self._credentials
        written = answer.status_code == 403 and method not in ("GET", "HEAD")
        what = "may not be written to" if written else "wants credentials"
        if known is None:
            what = "may not be written to without credentials" if written else what
            hint = f"`docker login {host}` or `oras login {host}` keeps them"
            return StbuildError(f"the registry {host} {what}, and none are known", hint=hint, exit_code=1)
        who = f"those of {known.user!r} in {known.source}"
        hint = f"`docker login {host}` replaces them"
        return StbuildError(f"the registry {host} {what}: {who} are refused", hint=hint, exit_code=1)


_WHY = re.compile(r"certificate verify failed: ([^(]*[^( ])")
_RETRY = "give the same command again: what has arrived is not sent again"


def _no_netrc(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Without it requests would send the credentials of ~/.netrc to a host that never asked."""
    return request


class _Adapter(HTTPAdapter):
    """Keeps as many connections as are used at once, and sends in larger blocks than 16 KiB.

    A question whose connection was closed meanwhile is asked again.
    """

    def __init__(self) -> None:
        again = Retry(
            connect=1, read=2, redirect=0, status=0, other=0, allowed_methods={"GET", "HEAD"},
            respect_retry_after_header=False,  # A limit on requests is told, with what the registry says.
        )  # fmt: skip
        super().__init__(pool_connections=CONNECTIONS, pool_maxsize=CONNECTIONS, max_retries=again)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, blocksize=_BLOCK, **kwargs)


def unexpected(answer: requests.Response, where: str) -> StbuildError:
    """The sentence for an answer that the specification does not lead to expect; the body may tell why."""
    request = answer.request.method
    try:
        errors = answer.json()["errors"] if len(answer.content) < _ERROR_BYTES else []
        told = "; ".join(str(each.get("message") or each.get("code")) for each in errors)
    except (ValueError, KeyError, TypeError, AttributeError):
        told = ""
    if answer.status_code in (405, 503) and request in ("POST", "PUT", "PATCH"):
        message = "the registry takes nothing: it is read-only"
        return StbuildError(message, where=where, hint="publish to another registry", exit_code=1)
    if answer.status_code == 400 and b"HTTPS server" in answer.content[:_ERROR_BYTES]:
        hint = "name another host than localhost, by oci://, as its certificate does"
        message = "the registry speaks TLS, and was asked without"
        return StbuildError(message, where=where, hint=hint, exit_code=1)
    if answer.status_code == 404:
        message = printable(f"there is nothing here{f': {told}' if told else ''}")
        return StbuildError(message, where=where, exit_code=1)
    why = f": {told[:200]}" if told else ""
    message = f"the registry answers {answer.status_code} {answer.reason} to {request}{why}"
    return StbuildError(printable(message), where=where, exit_code=1)
