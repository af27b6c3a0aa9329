"""A project of a few seconds in two clones, which have built it from nothing and published it."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import WorkspaceFolder
from tests.publish.sample import key_pair

LONG_S = 900
UMASK = 'umask 077; exec "$@"'
MODEL = """
from torch import nn
from torch.nn.functional import relu


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.up, self.down = nn.RMSNorm(64), nn.Linear(64, 64), nn.Linear(64, 64)

    def forward(self, x):
        return x + self.down(relu(self.up(self.norm(x))))


class Mine(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(256, 64)
        self.layers = nn.ModuleList(Layer() for _ in range(2))
        self.head = nn.Linear(64, 256, bias=False)

    def forward(self, input_ids, position_ids, cache, attention_mask):
        x = self.embed(input_ids)
        for layer in self.layers:
            x = layer(x)
        return self.head(x)


def model():
    return Mine()
"""


@dataclass(frozen=True, kw_only=True)
class Clones:
    """Two clones of a project that have published to folders, and the keys."""

    one: WorkspaceFolder
    two: WorkspaceFolder
    private: Path
    public: Path


def project(folder: Path) -> WorkspaceFolder:
    """A tiny project with a cache of its own."""
    space = WorkspaceFolder(root=folder / "workspace", cache=folder / "cache")
    space.write("pyproject.toml", "[tool.stbuild]\n")
    space.write("mine/model.py", MODEL)
    sizes = "channels: 2, lanes: 1, chunk: 4, context: 32, group: 32, new_tokens: 3"
    space.build_file("mine", f"llm_accelerator: {{model: model.py, {sizes}}}")
    return space


def published_clones(folder: Path) -> Clones:
    """The clones differ in folder, cache, HOME, locale, time zone, umask, jobs and time."""
    key = key_pair(folder / "mine.pub")
    (folder / "mine.key").write_bytes(key.private_pem)
    one = project(folder / "one")
    git(one.root, "init", "-q")
    (one.root / ".gitignore").write_text("stbuild-out\n")
    git(one.root, "add", ".")
    git(one.root, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a project")
    second = folder / "a second place"
    git(folder, "clone", "-q", str(one.root), str(second))
    two = WorkspaceFolder(root=second, cache=folder / "another cache")
    one.env |= {"LC_ALL": "C.UTF-8", "TZ": "UTC", "XDG_STATE_HOME": str(folder / "state1")}
    two.env |= {"LC_ALL": "C", "TZ": "Asia/Kathmandu", "HOME": str(folder / "home"), "USER": "somebody"}
    two.env |= {"XDG_STATE_HOME": str(folder / "state2")}
    found = Clones(one=one, two=two, private=folder / "mine.key", public=folder / "mine.pub")
    one.ok("publish", "mine", "published", "--key", str(found.private), timeout_s=LONG_S)
    argv = [
        sys.executable,
        "-P",
        "-m",
        "stbuild",
        "publish",
        "mine",
        "published",
        "--key",
        str(found.private),
    ]
    argv = ["sh", "-c", UMASK, "sh", *argv, "--jobs", "1", "--plain"]
    done = subprocess.run(argv, cwd=two.root, env=two.environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return found


def git(folder: Path, *args: str) -> None:
    subprocess.run(["git", "-C", str(folder), *args], check=True, stdout=subprocess.DEVNULL)
