"""Wrong usage of `stbuild publish` that is told before anything is built or made."""

from pathlib import Path

import pytest

from tests.conftest import CHECKOUT, WorkspaceFolder
from tests.publish.registry import registry
from tests.publish.sample import KeyPair


@pytest.fixture
def tiny(workspace: WorkspaceFolder, key: KeyPair) -> WorkspaceFolder:
    """A workspace with a package `tiny`, which is no project."""
    workspace.build_file("tiny", "filegroup: {name: hls, srcs: []}")
    workspace.write("mine.key", key.private_pem.decode())
    return workspace


@pytest.mark.parametrize(
    ("label", "sentence"),
    [
        ("tinny", "'tinny' is neither a command nor a package (did you mean 'tiny'?"),
        ("//tinny", "no package //tinny (for //tinny:tinny) (did you mean 'tiny'?)"),
        ("tiny:hlss", "no target 'hlss' in //tiny (did you mean 'hls'?)"),
        ("tiny:hls", "//tiny:hls is not a project (name one folder, such as"),
        ("//...", "//... is not a project (name one folder, such as"),
    ],
)
def test_what_is_no_project_is_told_with_the_nearest_name(
    tiny: WorkspaceFolder, label: str, sentence: str
) -> None:
    assert sentence in tiny.fails("publish", label, "out", "--key", "mine.key")
    assert not (tiny.root / "out").exists()


@pytest.mark.parametrize("builder", ["", "me", "https://ci.example/a b"])
def test_a_builder_is_a_uri(tiny: WorkspaceFolder, builder: str) -> None:
    told = tiny.fails("publish", "tiny", "out", "--key", "mine.key", "--builder", builder)
    assert "takes a URI such as https://ci.example/runner" in told


@pytest.mark.parametrize(
    ("package", "words"),
    [("cyclonedx", ("publish", "tiny", "out", "--key", "mine.key")), ("matplotlib", ("nightly",))],
)
def test_a_machine_for_running_alone_is_told_which_package_it_lacks(
    tiny: WorkspaceFolder, tmp_path: Path, package: str, words: tuple[str, ...]
) -> None:
    lacks = tmp_path / "lacks"
    (lacks / package).mkdir(parents=True)
    (lacks / package / "__init__.py").write_text(
        f"raise ModuleNotFoundError('no {package}', name='{package}.part')\n"
    )
    tiny.env["PYTHONPATH"] = f"{lacks}:{CHECKOUT}"
    told = tiny.fails(*words, code=1)
    assert f"the package '{package}' is not installed here (pip install stbuild, without --no-deps" in told


def test_a_registry_that_takes_nothing_is_told_before_anything_is_built(
    tiny: WorkspaceFolder, tmp_path: Path
) -> None:
    tiny.build_file("mine", "llm_accelerator: {model: no_such_model.py}")
    with registry(tmp_path, read_only=True) as server:
        told = tiny.fails("publish", "mine", f"oci://{server.host}/lab/mine", "--key", "mine.key", code=1)
    assert "the registry takes nothing: it is read-only (publish to another registry)" in told
    assert not tiny.output("").exists()


def test_weights_in_a_folder_are_no_weights_for_a_registry(tiny: WorkspaceFolder) -> None:
    words = ("publish", "tiny", "oci://localhost:1/lab/mine", "--key", "mine.key", "--weights-from", "here")
    assert "weights in a folder of this machine are at hand for nobody" in tiny.fails(*words)
