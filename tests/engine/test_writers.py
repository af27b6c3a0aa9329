"""Nobody can write to an output when it is taken, whichever way a process came to its handle of it."""

import subprocess
import sys
from pathlib import Path

import pytest

from stbuild.engine.local import landlock
from stbuild.engine.local.processes import writer_of
from stbuild.engine.store.store import Gone, Store
from stbuild.engine.store.taking import StillOpen
from tests.conftest import WorkspaceFolder

HOLD = {
    "open": "handle = os.open(path, os.O_RDWR)",
    "mapped": "stream = open(path, 'r+b'); view = mmap.mmap(stream.fileno(), 0); stream.close()",
    "under way": "one, two = socket.socketpair(); h = os.open(path, os.O_WRONLY); "
    "socket.send_fds(one, [b'x'], [h]); os.close(h)",
}
"""Ways to be able to write to a file; the last one is seen by the kernel only."""

READER = "handle = os.open(path, os.O_RDONLY); view = mmap.mmap(handle, 0, prot=mmap.PROT_READ)"


def holder(path: Path, way: str) -> "subprocess.Popen[str]":
    """A process that can write to a file; it ends with its standard input."""
    script = f"import mmap, os, socket, sys; path = {str(path)!r}; {way}; print(flush=True); sys.stdin.read()"
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


@pytest.mark.parametrize("way", HOLD)
def test_a_file_that_is_open_to_write_is_not_given_away(tmp_path: Path, way: str) -> None:
    path = tmp_path / "file"
    path.write_text("content")
    store = Store(tmp_path / "cache", print, writer_of)
    with holder(path, HOLD[way]) as process:
        try:
            store.put_file(str(path))
        except StillOpen as found:
            assert f"(process {process.pid})" in found.process
        else:  # Nobody was found: what is in the cache is a copy, to which nobody can write.
            assert way == "under way"
        assert path.exists()
        process.communicate()
    digest = store.put_file(str(path))
    assert store.read(digest) == b"content"


def test_a_file_that_is_read_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("content")
    store = Store(tmp_path / "cache", print)
    with holder(path, READER) as process:
        digest = store.put_file(str(path))
        process.communicate()
    assert store.read(digest) == b"content" and not path.exists()


def test_a_copy_that_is_not_what_was_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_text("content")
    store = Store(tmp_path / "cache", print)
    copy = store._copy

    def late(source: str, target: str) -> None:
        path.write_text("changed")
        copy(source, target)

    monkeypatch.setattr(store, "_copy", late)
    with pytest.raises(Gone):
        store.put_file(str(path), move=False)
    assert not list(tmp_path.glob("cache/cas/*/*"))


RECEIVE = """
import socket, time
listener = socket.socket(socket.AF_UNIX)
listener.bind({address!r})
listener.listen(1)
connection, _ = listener.accept()
received = socket.recv_fds(connection, 1, 1)
connection.send(b"x")
time.sleep(3)
open("out/a", "w").write("done")
"""

SEND = """
import socket, sys, time
stream = open("out/b", "w")
stream.write("good")
for _ in range(200):
    other = socket.socket(socket.AF_UNIX)
    try:
        other.connect({address!r})
        break
    except OSError:
        time.sleep(0.02)
socket.send_fds(other, [b"x"], [stream.fileno()])
other.recv(1)
"""


@pytest.mark.parametrize("kind", ["auto", "staged", "off"])
def test_a_handle_that_was_passed_on_to_another_action(
    workspace: WorkspaceFolder, tmp_path: Path, kind: str
) -> None:
    address = f"/dev/shm/stbuild-test-{tmp_path.name}-{kind}"
    for name, script in (("receive", RECEIVE), ("send", SEND)):
        workspace.write(f"p/{name}.py", script.format(address=address))
    workspace.build_file(
        "p",
        "genrule: {name: a, srcs: [receive.py], outs: [a], cmd: 'python3 $<'}",
        "genrule: {name: b, srcs: [send.py], outs: [b], cmd: 'python3 $<'}",
    )
    try:
        told = workspace.fails("p:all", "-j", "2", "-k", f"--sandbox={kind}", code=1)
    finally:
        Path(address).unlink(missing_ok=True)
    assert "//p:b: Genrule cannot be trusted: when it ended, python3" in told
    assert "could still write to out/b" in told
    assert workspace.output("p/a").read_text() == "done"
    assert not workspace.output("p/b").exists()


needs_scopes = pytest.mark.skipif(landlock.version() < 6, reason="this kernel's Landlock has no scopes")


@needs_scopes
def test_an_action_signals_its_own_processes_only(workspace: WorkspaceFolder) -> None:
    with subprocess.Popen(["sleep", "60"]) as bystander:
        command = (
            f"sleep 60 & kill $$!; for pid in {bystander.pid} $$PPID; do kill -9 $$pid && exit 3; done; "
            "timeout -s KILL 0.1 sleep 60 || echo ended > $@"
        )
        workspace.build_file("p", f"genrule: {{name: g, outs: [g], cmd: '{command}'}}")
        workspace.ok("p:g")
        assert bystander.poll() is None
        bystander.kill()
    assert workspace.output("p/g").read_text() == "ended\n"


@needs_scopes
def test_an_action_reaches_no_abstract_socket_of_another(workspace: WorkspaceFolder) -> None:
    address = f"\0{workspace.root}"
    for name, script in (("receive", RECEIVE), ("send", SEND)):
        workspace.write(f"p/{name}.py", script.format(address=address))
    workspace.build_file(
        "p",
        "genrule: {name: a, srcs: [receive.py], outs: [a], cmd: 'timeout 5 python3 $<'}",
        "genrule: {name: b, srcs: [send.py], outs: [b], cmd: 'python3 $<'}",
    )
    workspace.fails("p:all", "-j", "2", "-k", code=1)
    assert not workspace.output("p/a").exists() and not workspace.output("p/b").exists()
