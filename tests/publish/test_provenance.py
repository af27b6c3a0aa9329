"""What provenance says of sources, packages and actions."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from stbuild.publish.materials import Material, materials_of
from stbuild.publish.provenance import Asked, asked_of, made_by
from stbuild.publish.provenance_writing import BUILDER, commit_of, provenance
from tests.publish.sample import step

ASKED = Asked(label="//a:a", platform="u55c", target="sw_emu", cpu="x86-64-v3")


def git(folder: Path, *args: str) -> str:
    name = ("-c", "user.name=a", "-c", "user.email=a@b")
    argv = ["git", "-C", str(folder), *name, *args]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


def test_the_commit_is_named_only_if_the_sources_are_its_own(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("a")
    (tmp_path / "notes.txt").write_text("a")
    assert commit_of(tmp_path, ["model.py"]) == ""
    git(tmp_path, "init", "-q")
    assert commit_of(tmp_path, ["model.py"]) == ""
    git(tmp_path, "add", "model.py")
    git(tmp_path, "commit", "-qm", "a")
    assert commit_of(tmp_path, ["model.py"]) == git(tmp_path, "rev-parse", "HEAD")
    assert commit_of(tmp_path, ["model.py", "notes.txt"]) == ""
    (tmp_path / ".gitignore").write_text("*.bin\n")
    (tmp_path / "table.bin").write_text("a")
    assert commit_of(tmp_path, ["model.py", "table.bin"]) == ""
    (tmp_path / "model.py").write_text("b")
    assert commit_of(tmp_path, ["model.py"]) == ""


def test_what_is_written_is_read() -> None:
    steps = [step("//a:trace#Trace", {"a/trace/graph.json": "1" * 64}), step("//a:hls#Hls", {})]
    steps[1] = replace(steps[1], after=("//a:trace#Trace",))
    told = provenance(ASKED, [], steps, builder=BUILDER, commit="c0ffee")
    assert asked_of(told) == ASKED
    made = made_by(told)
    assert [(each.id, each.after, each.outputs) for each in made] == [
        ("//a:trace#Trace", (), {"a/trace/graph.json": "1" * 64}),
        ("//a:hls#Hls", ("//a:trace#Trace",), {}),
    ]
    (source,) = told["buildDefinition"]["resolvedDependencies"]
    assert source == {"name": "workspace", "digest": {"gitCommit": "c0ffee"}}


def test_materials_are_told_once_and_sorted() -> None:
    one = replace(step("a", {}), sources={"b.py": "2" * 64, "a.py": "1" * 64})
    two = replace(step("b", {}), sources={"a.py": "1" * 64}, externals={"external/weights": "3" * 64 + "t"})
    assert materials_of([one, two], {}, {"BUILD.yaml": "4" * 64}) == (
        Material(kind="external", name="external/weights", digest="3" * 64, tree=True),
        Material(kind="source", name="BUILD.yaml", digest="4" * 64),
        Material(kind="source", name="a.py", digest="1" * 64),
        Material(kind="source", name="b.py", digest="2" * 64),
    )


@pytest.mark.parametrize("changed", ["script", "installer", "module"])
def test_a_package_counts_by_its_modules_not_by_how_it_was_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    digests = []
    for number in (1, 2):
        hashes = {
            name: f"sha256=h{number if name == changed else 0}" for name in ("script", "installer", "module")
        }
        about = tmp_path / str(number) / "lab_thing-1.0.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: lab-thing\nVersion: 1.0\n")
        (about / "RECORD").write_text(
            f"../../../bin/lab,{hashes['script']},9\nlab_thing.py,{hashes['module']},9\n"
            f"lab_thing-1.0.dist-info/INSTALLER,{hashes['installer']},4\n__pycache__/lab_thing.pyc,,\n"
        )
        with monkeypatch.context() as patch:
            patch.syspath_prepend(str(about.parent))
            (found,) = materials_of([replace(step("a", {}), packages={"lab-thing": "1.0"})], {}, {})
        assert (found.kind, found.version) == ("package", "1.0")
        digests.append(found.digest)
    assert len(digests[0]) == 64
    assert (digests[0] == digests[1]) == (changed != "module")


def test_a_package_that_pip_did_not_install_has_no_digest() -> None:
    (found,) = materials_of([replace(step("a", {}), packages={"no-such-thing": "1.0"})], {}, {})
    assert found.digest == ""


def test_a_compiler_is_told_with_the_programs_that_do_its_work() -> None:
    found = materials_of([replace(step("a", {}), tools={"g++": "g++ 12"})], {"g++": "/usr/bin/g++"}, {})
    assert [each.name for each in found] == ["g++", "g++/as", "g++/cc1plus", "g++/ld"]
    assert len({each.digest for each in found}) == 4
