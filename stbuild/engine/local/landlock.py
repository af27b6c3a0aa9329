"""Landlock: a Linux thread gives up access to files for itself and what it starts, without privileges.

The spawner loads this file by path, so it imports the standard library only.
https://docs.kernel.org/userspace-api/landlock.html
"""

import contextlib
import ctypes
import os
import signal
import struct
import time
from collections.abc import Iterable

_CREATE_RULESET = 444
_ADD_RULE = 445
_RESTRICT_SELF = 446
_PATH_BENEATH = 1
_PR_SET_NO_NEW_PRIVS = 38
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_ALL_V1 = (1 << 13) - 1
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_SCOPE_ABSTRACT_SOCKETS, _SCOPE_SIGNALS = 1, 2
_FILE_RIGHTS = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV

_libc = ctypes.CDLL(None, use_errno=True)


def version() -> int:
    """The version of Landlock that the kernel has; 0 for none."""
    found = _libc.syscall(_CREATE_RULESET, None, 0, 1)
    return max(int(found), 0)


def confine(
    *,
    system: Iterable[str],
    devices: Iterable[str],
    read: Iterable[str],
    listed: Iterable[str],
    write: Iterable[str],
    spaces: Iterable[int] = (),
) -> None:
    """From now on this thread sees only these paths, and the network of `spaces` if that is given.

    Where the kernel can, it also sends no signal to a process outside and reaches no abstract socket there.
    """
    for space in spaces:
        enter(space)
    found = version()
    handled = _handled(found)
    rules = struct.pack("3Q", handled, 0, _scoped(found))  # Older kernels take what they do not know as 0.
    ruleset = _libc.syscall(_CREATE_RULESET, rules, len(rules), 0)
    if ruleset < 0:
        raise OSError(ctypes.get_errno(), "landlock_create_ruleset")
    see = _EXECUTE | _READ_FILE | _READ_DIR
    for path in system:
        _allow_held(ruleset, path, see)
    for path in devices:
        _allow_held(ruleset, path, handled)
    for paths, rights in ((read, see), (listed, _READ_DIR), (write, handled)):
        for path in paths:
            _allow(ruleset, path, rights)
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if _libc.syscall(_RESTRICT_SELF, ruleset, 0):
        raise OSError(ctypes.get_errno(), "landlock_restrict_self")
    os.close(ruleset)


def enter(space: int) -> None:
    """Let this thread, or this process for a user namespace, be in the namespace of a handle."""
    if _libc.setns(space, 0):
        raise OSError(ctypes.get_errno(), "setns")


def empty_network() -> list[int]:
    """Namespaces to enter for a network with nothing but a loopback; none where the kernel forbids it.

    A new one costs 15 ms, so one is made for a whole build and entered by each action.
    """
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(OSError):  # Some systems forbid what they seemed to allow, such as a map.
            os.write(writer, _leave_network().encode())
            time.sleep(60)
        os._exit(0)
    os.close(writer)
    kinds = os.read(reader, 16).decode().split()
    os.close(reader)
    spaces = [os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in kinds]
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return spaces


def _leave_network() -> str:
    """Enter an empty network; the namespaces that this took, in the order in which others must enter them."""
    kinds = "net"
    if _libc.unshare(_CLONE_NEWNET):
        user, group = os.geteuid(), os.getegid()
        if _libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET):
            return " "
        maps = {"setgroups": "deny", "uid_map": f"{user} {user} 1", "gid_map": f"{group} {group} 1"}
        for name, text in maps.items():
            with open(f"/proc/self/{name}", "w") as stream:
                stream.write(text)
        kinds = "user net"
    _raise_loopback()
    return kinds


def _handled(found: int) -> int:
    rights = _ALL_V1
    if found >= 2:
        rights |= _REFER
    if found >= 3:
        rights |= _TRUNCATE
    return rights


def _scoped(found: int) -> int:
    return _SCOPE_ABSTRACT_SOCKETS | _SCOPE_SIGNALS if found >= 6 else 0


_held: dict[str, tuple[int, bool]] = {}
"""Handles of paths that every action may see, each with whether it is a folder."""


def _allow_held(ruleset: int, path: str, rights: int) -> None:
    if path not in _held:
        try:
            _held[path] = os.open(path, os.O_PATH | os.O_CLOEXEC), os.path.isdir(path)
        except OSError:
            return
    _add_rule(ruleset, *_held[path], rights)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        _add_rule(ruleset, handle, os.path.isdir(path), rights)
    finally:
        os.close(handle)


def _add_rule(ruleset: int, handle: int, folder: bool, rights: int) -> None:
    rule = struct.pack("=Qi", rights if folder else rights & _FILE_RIGHTS, handle)
    if _libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0):
        raise OSError(ctypes.get_errno(), "landlock_add_rule")


def _raise_loopback() -> None:
    import fcntl
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            fcntl.ioctl(probe.fileno(), 0x8914, struct.pack("16sh14x", b"lo", 0x1 | 0x40))
        except OSError:
            return
