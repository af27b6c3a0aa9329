"""stbuild as a user whom the modes of files bind, also where the tests run as root."""

import subprocess
import sys

from tests.conftest import WorkspaceFolder

WITHOUT_PRIVILEGES = """
import ctypes, os, sys
for capability in (1, 2):  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: root is as bound by modes as others.
    ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)
os.execv(sys.executable, [sys.executable, "-P", "-m", "stbuild", *sys.argv[1:]])
"""


def run_as_user(workspace: WorkspaceFolder, *args: str) -> "subprocess.CompletedProcess[str]":
    """Run stbuild without a superuser's rights to files."""
    argv = [sys.executable, "-c", WITHOUT_PRIVILEGES, *args]
    return subprocess.run(
        argv, cwd=workspace.root, env=workspace.environment(), capture_output=True, text=True, timeout=60
    )
