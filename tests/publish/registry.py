"""A docker-registry of Debian on a free port, and what goes wrong on the way to one."""

import http.client
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

_START_S = 20
_CONFIG = """version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: {root}}}
  delete: {{enabled: true}}
  {more}
http: {{addr: 127.0.0.1:{port}}}
{auth}
"""


@dataclass(frozen=True, kw_only=True)
class RegistryServer:
    """A registry that answers; its files lie in `root`."""

    host: str
    root: Path


@contextmanager
def registry(
    folder: Path, *, read_only: bool = False, password_file: Path | None = None
) -> Iterator[RegistryServer]:
    """Run a registry until the end of the block."""
    if shutil.which("docker-registry") is None:
        pytest.skip("docker-registry is missing: apt-get install docker-registry")
    port, root = _free_port(), folder / "registry"
    root.mkdir(parents=True, exist_ok=True)
    more = "maintenance: {readonly: {enabled: true}}" if read_only else ""
    auth = f"auth: {{htpasswd: {{realm: test, path: {password_file}}}}}" if password_file else ""
    config = folder / f"config-{port}.yml"
    config.write_text(_CONFIG.format(root=root, port=port, more=more, auth=auth))
    with subprocess.Popen(
        ["docker-registry", "serve", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            _wait(port)
            yield RegistryServer(host=f"127.0.0.1:{port}", root=root)
        finally:
            process.kill()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait(port: int) -> None:
    end = time.monotonic() + _START_S
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("docker-registry does not start")


@dataclass
class Exchange:
    """One request as a proxy sees it, and how much of its body or answer it lets through (None: all).

    With a `reply` the proxy answers itself, by status, headers and body.
    """

    method: str
    path: str
    request_bytes: int
    headers: Mapping[str, str]
    reply: tuple[int, dict[str, str], bytes] | None = None
    let_request: int | None = None
    let_answer: int | None = None


@contextmanager
def proxy(upstream: str, rule: Callable[[Exchange], None]) -> Iterator[str]:
    """The host of a proxy before a registry, which cuts connections as `rule` says of each exchange."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            exchange = Exchange(
                method=self.command, path=self.path, request_bytes=length, headers=dict(self.headers)
            )
            rule(exchange)
            _forward(self, upstream, exchange)

        do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = handle_any

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _forward(handler: BaseHTTPRequestHandler, upstream: str, exchange: Exchange) -> None:
    body = handler.rfile.read(exchange.request_bytes)
    if exchange.reply is not None:
        _reply(handler, *exchange.reply)
        return
    connection = http.client.HTTPConnection(upstream)
    connection.putrequest(handler.command, handler.path, skip_host=False, skip_accept_encoding=True)
    for name, value in handler.headers.items():
        if name.lower() not in ("host", "connection"):
            connection.putheader(name, value)
    connection.endheaders()
    if exchange.let_request is not None:
        connection.send(body[: exchange.let_request])
        connection.sock.shutdown(socket.SHUT_WR)
        time.sleep(0.2)
        connection.close()
        handler.close_connection = True
        return
    connection.send(body)
    answer = connection.getresponse()
    data = answer.read()
    handler.send_response(answer.status)
    for name, value in answer.getheaders():
        if name.lower() not in ("server", "date", "transfer-encoding", "connection"):
            handler.send_header(name, value.replace(upstream, handler.headers["Host"]))
    handler.end_headers()
    handler.wfile.write(data if exchange.let_answer is None else data[: exchange.let_answer])
    if exchange.let_answer is not None:
        handler.close_connection = True
    connection.close()


def _reply(handler: BaseHTTPRequestHandler, status: int, headers: Mapping[str, str], body: bytes) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)
