"""The commands as a user gives them: a real project, two clones of it, and a machine that cannot build."""

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stbuild.layout import configuration_dir
from stbuild.publish.attestations import read_envelopes
from stbuild.publish.keys import read_public_key
from stbuild.publish.oci import digest_of
from stbuild.publish.provenance import PREDICATE
from stbuild.publish.reference import parse_reference
from stbuild.publish.signing import verify
from stbuild.publish.storage import open_storage
from tests.chain.test_same_bytes import project
from tests.conftest import CHECKOUT, Done, WorkspaceFolder
from tests.publish.registry import registry
from tests.publish.sample import contents, key_pair

LONG_S = 900
UMASK = 'umask 077; exec "$@"'


@dataclass(frozen=True, kw_only=True)
class Clones:
    """Two clones of a project that have published to folders, and the keys."""

    one: WorkspaceFolder
    two: WorkspaceFolder
    private: Path
    public: Path


@pytest.fixture(scope="module")
def clones(tmp_path_factory: pytest.TempPathFactory) -> Clones:
    """The clones differ in folder, cache, HOME, locale, time zone, umask, jobs and time."""
    folder = tmp_path_factory.mktemp("clones")
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


def test_two_clones_publish_the_same_bytes(clones: Clones) -> None:
    one, two = (contents(space.root / "published") for space in (clones.one, clones.two))
    assert sorted(one) == sorted(two)
    assert [name for name in one if one[name] != two[name]] == []


def test_nothing_published_names_a_place_of_this_machine(clones: Clones) -> None:
    for data in contents(clones.one.root / "published").values():
        for place in (
            str(clones.one.root),
            str(CHECKOUT),
            str(Path.home() / ".cache"),
            str(clones.one.cache),
        ):
            assert place.encode() not in data


def test_a_build_file_is_a_source_and_one_that_was_changed_is_not_the_commits(
    clones: Clones, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = subprocess.run(["git", "-C", str(clones.one.root), "rev-parse", "HEAD"], capture_output=True)
    monkeypatch.setitem(clones.one.env, "XDG_STATE_HOME", str(clones.public.parent / "nothing seen"))
    named = {"gitCommit": head.stdout.decode().strip()}
    assert _sources(clones, "published")["workspace"] == named
    build_file = clones.one.root / "mine/BUILD.yaml"
    text = build_file.read_text()
    build_file.write_text(f"# a note\n{text}")
    try:
        clones.one.ok("publish", "mine", "noted", "--key", str(clones.private), timeout_s=LONG_S)
        digest = {"sha256": hashlib.sha256(build_file.read_bytes()).hexdigest()}
    finally:
        build_file.write_text(text)
    sources = _sources(clones, "noted")
    assert sources["mine/BUILD.yaml"] == digest
    assert "workspace" not in sources


def _sources(clones: Clones, place: str) -> dict[str, Any]:
    """The digests of what a provenance names, by name."""
    reference = parse_reference(str(clones.one.root / place))
    with open_storage(reference) as storage:
        digest = digest_of(storage.manifest("latest") or b"")
        told = [
            verify(each, [read_public_key(clones.public)], "") for each in read_envelopes(storage, digest, "")
        ]
    (predicate,) = [each.predicate for each in told if each and each.predicate_type == PREDICATE]
    return {each["name"]: each["digest"] for each in predicate["buildDefinition"]["resolvedDependencies"]}


@pytest.fixture
def stranger(clones: Clones, tmp_path: Path) -> Iterator[WorkspaceFolder]:
    """A machine without PyTorch, compiler and workspace: their imports fail, and PATH is empty."""
    for name in ("torch", "transformers", "gguf", "safetensors", "doit", "cyclonedx"):
        (tmp_path / "lacks" / name).mkdir(parents=True)
        (tmp_path / "lacks" / name / "__init__.py").write_text(f"raise ImportError('no {name} here')\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "bin").mkdir()
    yield WorkspaceFolder(
        root=tmp_path / "empty",
        cache=tmp_path / "cache",
        env={
            "PATH": str(tmp_path / "bin"),
            "PYTHONPATH": f"{tmp_path / 'lacks'}:{CHECKOUT}",
            "XDG_STATE_HOME": str(tmp_path / "state"),
            "DOCKER_CONFIG": str(tmp_path / "docker"),
        },
    )


def test_a_machine_that_cannot_build_answers(
    clones: Clones, stranger: WorkspaceFolder, tmp_path: Path
) -> None:
    answer = clones.one.ok("run", "mine", "--tokens", "1 2 3", "--max-tokens", "3", timeout_s=LONG_S).out
    with registry(tmp_path) as server:
        place = f"oci://{server.host}/lab/mine:v1"
        told = clones.one.ok("publish", "mine", place, "--key", str(clones.private), timeout_s=LONG_S).out
        assert told.startswith(f"published: {place}, version 1\ndigest: sha256:")
        tokens = ("--tokens", "1 2 3", "--max-tokens", "3")
        assert "no key is known for this place" in stranger.fails("run", place, *tokens)
        said = stranger.ok("run", place, "--key", str(clones.public), *tokens)
        assert said.out == answer
        digest = told.splitlines()[1].removeprefix("digest: ")
    assert stranger.ok("run", f"oci://{server.host}/lab/mine@{digest}", *tokens).out == answer
    assert "cannot be reached" in stranger.fails("run", place, *tokens, code=1)


def test_the_image_is_for_the_baseline(clones: Clones) -> None:
    assert (clones.one.root / "stbuild-out" / configuration_dir("u55c", "sw_emu", "x86-64-v3")).is_dir()
    told = clones.one.ok("aquery", "mine:kernels", "--cpu", "x86-64-v3").out
    assert "-march=x86-64-v3" in told
    assert "-march=native" not in told
    assert "-march=native" in clones.one.ok("aquery", "mine:kernels").out


def test_verify_rebuilds_and_compares(clones: Clones) -> None:
    done = clones.two.ok("verify", "published", "--rebuild", timeout_s=LONG_S)
    assert done.out.splitlines()[-1].startswith("rebuilt: ")
    assert done.out.splitlines()[-1].endswith(" files, each equal to the byte")


def test_a_rebuild_of_other_sources_names_the_first_action_that_differs(
    clones: Clones, tmp_path: Path
) -> None:
    git(tmp_path, "clone", "-q", str(clones.one.root), str(tmp_path / "edited"))
    edited = WorkspaceFolder(root=tmp_path / "edited", cache=tmp_path / "cache", env=clones.one.env)
    model = edited.root / "mine/model.py"
    model.write_text(model.read_text().replace("range(2)", "range(3)"))
    published = str(clones.one.root / "published")
    done: Done = edited.run("verify", published, "--rebuild", timeout_s=LONG_S)
    assert done.code == 1, done.err
    assert "first action that differs: //mine:trace#Trace\n" in done.out
    assert "(another key: its inputs differ)" in done.out
    assert "bundle/manifest.json" in done.out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("publish", "mine", "out"), "publish signs, and needs a key: --key FILE (make one: openssl genpkey"),
        (("publish", "mine", "out", "--key", "no.key"), "no.key: the key cannot be read: No such file"),
        (("publish", "mine", "out", "--key", "PUBLIC"), "this is not a private key in PEM"),
        (("publish", "mine", "out", "--key", "vault:x"), "there is no signer 'vault'"),
        (("publish", "mine", "out", "--key", "hsm:x"), "--key hsm:… needs its public key"),
        (("publish", "mine", "oci://", "--key", "PRIVATE"), "it names no host"),
        (("publish", "mine", "out@sha256:" + "a" * 64, "--key", "PRIVATE"), "a digest comes of publishing"),
        (("publish", "//...", "out", "--key", "PRIVATE"), "is not a project (name one folder"),
        (("publish", "mine:hls", "out", "--key", "PRIVATE"), "//mine:hls is not a project"),
        (("publish", "mine", "out", "--key", "PRIVATE", "--set", "//mine:mine.chunk=2"), "neither --set nor"),
        (("publish", "mine", "out", "--key", "PRIVATE", "--cpu", "native"), "is for this machine only"),
        (("build", "mine:kernels", "--cpu", "x86-64-v33"), "--cpu x86-64-v33 is not known (did you mean"),
        (("fetch", "oci://h.io/A", "--key", "PUBLIC"), "'A' is not a repository"),
        (("fetch", "nothing", "--key", "PUBLIC"), "nothing is published here"),
        (("verify", "mine", "--key", "PUBLIC"), "nothing is published here"),
        (("verify", "published"), "no key is known for this place"),
        (("fetch", "nothing"), "nothing is published here"),
        (("run", "oci:mine", "--prompt", "x"), "nothing is published here"),
        (("run", "oci:nothing", "--key", "PUBLIC", "--prompt", "x"), "nothing is published here"),
        (("run", "oci:nothing", "--key", "PUBLIC", "--no-such"), "one of the arguments"),
    ],
)  # fmt: skip
def test_bad_input_is_told_in_a_sentence(
    clones: Clones, words: tuple[str, ...], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"PUBLIC": str(clones.public), "PRIVATE": str(clones.private)}
    monkeypatch.setitem(clones.one.env, "XDG_STATE_HOME", str(clones.public.parent / "nothing seen"))
    told = clones.one.fails(*(given.get(word, word) for word in words))
    assert sentence in told
