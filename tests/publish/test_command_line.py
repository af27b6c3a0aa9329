"""The commands as a user gives them: a real project, two clones of it, and a machine that cannot build."""

import hashlib
import json
import subprocess
from collections.abc import Iterator
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
from tests.conftest import CHECKOUT, WorkspaceFolder
from tests.publish.clones import LONG_S, Clones, published_clones
from tests.publish.registry import registry
from tests.publish.sample import contents

CPU = "x86-64-v3"
"""What is published is built for it."""
MEASURED = "mine/smoke/measured.json"


@pytest.fixture(scope="module")
def clones(tmp_path_factory: pytest.TempPathFactory) -> Clones:
    """The clones, and the keys."""
    return published_clones(tmp_path_factory.mktemp("clones"))


def files_of(space: WorkspaceFolder) -> dict[str, bytes]:
    """Every file of the build but the measured one, which must be there."""
    root = space.root / "stbuild-out" / configuration_dir("u55c", "sw_emu", CPU)
    found = {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert json.loads(found.pop(MEASURED))["speed"]
    return found


def ran(space: WorkspaceFolder) -> set[str]:
    """What kinds of action the last build ran."""
    return {event["mnemonic"].split()[0] for event in space.events() if event["event"] == "action_finished"}


@pytest.mark.slow
def test_two_clones_publish_the_same_bytes(clones: Clones) -> None:
    one, two = (contents(space.root / "published") for space in (clones.one, clones.two))
    assert sorted(one) == sorted(two)
    assert [name for name in one if one[name] != two[name]] == []


def test_two_builds_give_the_same_bytes(clones: Clones) -> None:
    one, two = map(files_of, (clones.one, clones.two))
    assert sorted(one) == sorted(two)
    assert [name for name in one if one[name] != two[name]] == []


@pytest.mark.parametrize("cpu", [CPU, "native"])
def test_no_action_reads_what_was_measured(clones: Clones, cpu: str) -> None:
    """For `native` nothing was built; the cache has what does not depend on the processor."""
    rows = json.loads(clones.one.ok("aquery", "//...", "--deps", "--json", "--cpu", cpu).out)
    assert [row["id"] for row in rows if "out/measured.json" in row["outputs"]] == ["//mine:smoke#Smoke"]
    assert [row["id"] for row in rows if any(MEASURED in each for each in row["inputs"])] == []


def test_another_image_with_the_same_tokens_asks_no_reference(clones: Clones) -> None:
    change = ("--set", "//mine:partition.chunk=2", "--cpu", CPU)
    told = clones.two.ok("mine", *change, timeout_s=LONG_S).out
    assert "check: bit-exact" in told and " tok/s decode" in told
    assert {"Smoke", "Package"} <= ran(clones.two)
    assert ran(clones.two).isdisjoint({"Reference", "Deploy"})


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
