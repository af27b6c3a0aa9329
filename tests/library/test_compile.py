"""`stbuild.compile_model`: a module in memory, a folder and a project become accelerators that answer."""

import linecache
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
import torch
from ipykernel.compiler import get_file_name
from nbformat import NotebookNode
from tokenizers import Tokenizer
from transformers import LlamaForCausalLM

import stbuild
from stbuild import Accelerator, Progress, Sampling, StbuildError, compile_model
from tests.conftest import CHECKOUT, WorkspaceFolder
from tests.docs.notebook import NOTEBOOK, VOLATILE, execute, printed
from tests.runtime.conftest import byte_tokenizer  # noqa: F401  # a fixture

SMALL: dict[str, object] = {"channels": 2, "lanes": 1, "chunk": 4, "new_tokens": 2}
CONTEXT = 32
Make = Callable[[int], LlamaForCausalLM]


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One cache for all tests here, so that a model is compiled once."""
    folder = tmp_path_factory.mktemp("library") / "cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STBUILD_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="module")
def notebook(cache: Path) -> NotebookNode:
    """The notebook of the documentation, after a run with an empty cache."""
    return execute(NOTEBOOK)


@pytest.fixture(scope="module")
def tiny_llama(notebook: NotebookNode) -> Make:
    """The class of its second cell, as another notebook would have it that has the same cells."""
    scope: dict[str, Any] = {"__name__": "__main__"}
    for cell in [cell for cell in notebook.cells if cell.cell_type == "code"][:2]:
        file = get_file_name(cell.source)
        linecache.cache[file] = (len(cell.source), None, cell.source.splitlines(True), file)
        exec(compile(cell.source, file, "exec"), scope)
    made: Make = scope["TinyLlama"]
    return made


def compiled(module: torch.nn.Module, **options: Any) -> Accelerator:
    """An accelerator of a small machine."""
    return compile_model(
        module, name="small", attributes={**SMALL, **options.pop("attributes", {})}, **options
    )


@pytest.mark.slow
def test_the_notebook_prints_what_the_documentation_shows(notebook: NotebookNode) -> None:
    """`python -m tests.docs.notebook` writes it anew."""
    for shown, cell in zip(nbformat.read(NOTEBOOK, as_version=4).cells, notebook.cells, strict=True):
        if VOLATILE in cell.metadata.get("tags", ()):
            assert re.search(r"\n\[1/\d+\] ran //small:trace Trace \(", printed(cell))
        else:
            assert printed(cell) == printed(shown), cell.source


def test_an_equal_module_of_another_process_is_a_cache_hit(tiny_llama: Make) -> None:
    module = tiny_llama(0)
    module.train()
    told: list[Progress] = []
    accelerator = compiled(module, progress=told.append)
    report = accelerator.report
    assert report.ran == 0 and report.cached > 20 and str(told[0]) == "exporting TinyLlama"
    assert report.check.startswith("bit-exact with the PyTorch reference: 1 prompts, 2 new tokens")
    assert report.floats.startswith("the graph is the model within ") and "3 from 29), its" in report.floats
    assert "tok/s decode, measured on the emulated u55c" in report.speed
    assert str(report).startswith("platform: u55c (sw_emu)\nweights: parameters (safetensors)\ncontext: 32 t")
    assert "channels" in report.design
    assert module.training and all(p.requires_grad for p in module.parameters())
    stream = accelerator.generate_ids([1, 2], max_tokens=6)
    assert list(stream) == accelerator.run((1, 2), max_tokens=6).tokens == stream.answer.tokens
    again = Accelerator.open(report.bundle)
    wrong: Any
    for wrong, sentence in (
        ({"max_tokens": "3"}, "`max_tokens` is a number of tokens, got '3'"),
        ({"sampling": {"temperature": 1}}, "`sampling` is a Sampling, got dict"),
    ):
        with pytest.raises(StbuildError, match=sentence):
            again.run((1, 2), **wrong)
    assert again.run((1, 2), max_tokens=6).tokens == stream.answer.tokens and again.report.check == ""
    assert repr(again) == "<Accelerator small for u55c (sw_emu)>"


def test_a_tokenizer_comes_with_the_module_and_the_project_is_kept(
    workspace: WorkspaceFolder,
    tiny_llama: Make,
    byte_tokenizer: Tokenizer,  # noqa: F811
) -> None:
    kept = workspace.root / "small"
    accelerator = compiled(tiny_llama(0), tokenizer=byte_tokenizer, folder=kept, check=False)
    assert accelerator.report.check == ""
    assert accelerator.report.bundle.is_relative_to(workspace.root / "stbuild-out")
    assert "model: model.exported\n" in (kept / "BUILD.yaml").read_text()
    answer = accelerator.run("Hi", max_tokens=6)
    assert len(answer.tokens) == 6 and answer.prompt_tokens == 2
    assert "".join(accelerator.generate("Hi", max_tokens=6)) == answer.text
    sampling = Sampling(temperature=2.0, top_k=20, seed=1)
    drawn = [accelerator.run("Hi", max_tokens=6, sampling=sampling).text for _ in range(2)]
    assert drawn[0] == drawn[1]
    with pytest.raises(StbuildError, match="a conversation needs a chat template"):
        accelerator.chat()
    told = workspace.ok("run", "small", "--prompt", "Hi", "--max-tokens", "6")
    assert "prompt of 2 " in told.err
    (workspace.root / "other").mkdir()
    with pytest.raises(StbuildError, match="/other is there already, and is no project"):
        compiled(tiny_llama(0), folder=workspace.root / "other")


def test_two_modules_in_two_threads(tiny_llama: Make) -> None:
    """Both get what they gave; nothing that torch or the engine keeps for a process mixes them up."""
    modules = [tiny_llama(seed) for seed in (2, 3)]
    made: dict[int, Accelerator] = {}
    failed: list[BaseException] = []

    def work(number: int) -> None:
        try:
            made[number] = compiled(modules[number], check=False)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed and sorted(made) == [0, 1]
    answers = [made[number].run((1, 2, 3), max_tokens=8).tokens for number in (0, 1)]
    assert answers[0] != answers[1]


def test_a_folder_and_a_project(workspace: WorkspaceFolder, tiny_llama: Make) -> None:
    saved = workspace.root / "Tiny"
    module = tiny_llama(0)
    plain = LlamaForCausalLM(module.config)
    plain.load_state_dict(module.state_dict())
    plain.save_pretrained(saved)
    told = workspace.ok("init", "--model", "Tiny", "--name", "small").out
    assert told == "made small; now: stbuild small\n"
    project = compile_model(workspace.root / "small", attributes=SMALL, check=False)
    assert project.report.weights == "Tiny (safetensors)"
    folder = compile_model(saved, name="small", attributes=SMALL, check=False)
    assert folder.report.ran == 0 and folder.report.context == CONTEXT
    assert folder.run((1, 2), max_tokens=4).tokens == project.run((1, 2), max_tokens=4).tokens
    with pytest.raises(StbuildError, match=r"is a project already \(leave `name` and `folder` out\)"):
        compile_model(workspace.root / "small", name="x")
    with pytest.raises(StbuildError, match="`tokenizer` belongs to a module"):
        compile_model(saved, tokenizer=object())


def test_a_failed_build_is_one_sentence(tiny_llama: Make) -> None:
    with pytest.raises(StbuildError) as caught:
        compiled(tiny_llama(0), attributes={"prompts": ["Hello"]})
    said = str(caught.value)
    assert said.startswith("prompts need a tokenizer, and the weights bring none") and "\n" not in said
    log = said.partition("log: ")[2].rstrip(")")
    assert "prompts need a tokenizer" in Path(log).read_text()


@pytest.mark.parametrize(
    ("model", "options", "sentence"),
    [
        (3, {}, "a model is a torch.nn.Module or a path, got int"),
        (torch.nn.Linear, {}, r"got the class Linear \(call it first\)"),
        (torch.nn.Linear(2, 2), {}, "Linear.forward has no argument 'input_ids'"),
        ("/nowhere/at/all", {}, "there is no model at /nowhere/at/all"),
        (torch.nn.Linear(2, 2), {"name": "a/b"}, "the name 'a/b' has a slash"),
        (torch.nn.Linear(2, 2), {"name": ""}, "the name '' is empty"),
        (torch.nn.Linear(2, 2), {"attributes": ["x"]}, "`attributes` is a mapping, got list"),
        (torch.nn.Linear(2, 2), {"progress": 7}, "`progress` is a function, got int"),
    ],
)
def test_what_is_refused(model: Any, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(StbuildError, match=sentence):
        compile_model(model, **options)


def test_a_module_without_values_is_given_weights_or_refused(tiny_llama: Make) -> None:
    module = tiny_llama(0)
    module.lm_head.weight = torch.nn.Parameter(torch.empty(272, 64, device="meta"))
    with pytest.raises(StbuildError, match=r"'lm_head.weight' is on the meta device and has no values"):
        compiled(module)
    with pytest.raises(StbuildError, match="prompts need a tokenizer, and synthetic weights have none"):
        compiled(module, attributes={"seed": 1, "prompts": ["Hello"]})


def test_attributes_that_are_refused(tiny_llama: Make) -> None:
    with pytest.raises(StbuildError, match=r"has no attribute 'chanels' \(did you mean 'channels'\?\)"):
        compiled(tiny_llama(0), attributes={"chanels": 3})
    with pytest.raises(StbuildError, match="attributes are texts, numbers, and lists of them: Object"):
        compiled(tiny_llama(0), attributes={"seed": object()})
    with pytest.raises(StbuildError, match="a context of 99 is more than the model's max_position"):
        compiled(tiny_llama(0), context=99)
    with pytest.raises(StbuildError, match="int is no tokenizer"):
        compiled(tiny_llama(0), tokenizer=3)


def test_importing_the_package_is_light() -> None:
    code = (
        "import sys, stbuild; assert not {'torch', 'numpy', 'msgspec', 'yaml'} & set(sys.modules);"
        "assert 'compile_model' in dir(stbuild); stbuild.compile_model;"
        "assert not {'torch', 'transformers'} & set(sys.modules); print('light')"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], env={"PYTHONPATH": str(CHECKOUT)}, text=True,
                          capture_output=True, check=True)  # fmt: skip
    assert done.stdout == "light\n"
    with pytest.raises(AttributeError, match="module 'stbuild' has no attribute 'compile_modle'"):
        stbuild.compile_modle  # noqa: B018  # wrong on purpose
