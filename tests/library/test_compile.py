"""`stbuild.compile_model`: a module in memory, a folder and a project become accelerators that answer."""

import subprocess
import sys
import threading
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer
from transformers import LlamaForCausalLM

import stbuild
from stbuild import Accelerator, Progress, Sampling, StbuildError, compile_model
from tests.conftest import CHECKOUT, WorkspaceFolder
from tests.library.conftest import SMALL
from tests.models import decoder, tiny_llama
from tests.runtime.conftest import byte_tokenizer  # noqa: F401  # a fixture

CONTEXT = 32


def llama(seed: int = 0, **changes: Any) -> LlamaForCausalLM:
    """A module that never ends its answer of its own."""
    return tiny_llama(seed=seed, vocab_size=272, eos_token_id=None, **changes)


def compiled(module: torch.nn.Module, **options: Any) -> Accelerator:
    """An accelerator of a small machine."""
    attributes = {**SMALL, **options.pop("attributes", {})}
    return compile_model(module, context=CONTEXT, name="small", attributes=attributes, **options)


def test_a_module_is_built_checked_and_answers(byte_tokenizer: Tokenizer) -> None:  # noqa: F811
    module = llama()
    module.train()
    told: list[Progress] = []
    accelerator = compiled(module, tokenizer=byte_tokenizer, progress=told.append)
    report = accelerator.report
    assert report.check.startswith("bit-exact with the PyTorch reference: 1 prompts, 2 new tokens")
    assert report.ran > 15 and "tok/s decode, measured on the emulated u55c" in report.speed
    assert str(report).startswith(
        "platform: u55c (sw_emu)\nweights: parameters (safetensors)\ncontext: 32 tok"
    )
    assert "channels" in report.design
    assert str(told[0]) == "exporting LlamaForCausalLM"
    assert any("ran //small:trace Trace (" in str(each) for each in told)
    assert module.training and module.config._attn_implementation == "sdpa"
    answer = accelerator.run("Hi", max_tokens=6)
    assert len(answer.tokens) == 6 and answer.prompt_tokens == 2
    stream = accelerator.generate("Hi", max_tokens=6)
    assert "".join(stream) == answer.text == stream.answer.text
    drawn = Sampling(temperature=2.0, top_k=20, seed=1)
    assert accelerator.run((1, 2), max_tokens=4, sampling=drawn).tokens == list(
        accelerator.generate_ids([1, 2], max_tokens=4, sampling=drawn)
    )
    again = Accelerator.open(report.bundle)
    assert again.run("Hi", max_tokens=6).tokens == answer.tokens and again.report.check == ""
    assert repr(again) == "<Accelerator small for u55c (sw_emu)>"
    check_equal_modules(byte_tokenizer, accelerator)


def check_equal_modules(tokenizer: Tokenizer, first: Accelerator) -> None:
    """An equal module runs nothing; one with other weights is neither lowered nor compiled again."""
    equal = compiled(llama(), tokenizer=tokenizer)
    assert equal.report.ran == 0 and equal.report.bundle == first.report.bundle
    told: list[str] = []
    other = compiled(llama(seed=1), tokenizer=tokenizer, progress=lambda each: told.append(each.text))
    ran = [line.split()[2] for line in told if line.startswith("ran ")]
    assert sorted(ran) == ["Deploy", "Pack", "Package", "Reference", "Smoke", "Weights"]
    assert other.report.bundle != first.report.bundle
    assert first.run((1, 2, 3), max_tokens=5).tokens != other.run((1, 2, 3), max_tokens=5).tokens


def test_halves_and_tied_weights_of_a_module_in_training() -> None:
    """Weights of 16 bits are read as they are, one that is tied is stored once."""
    module = llama(tie_word_embeddings=True)
    accelerator = compiled(module.bfloat16(), check=False)
    assert accelerator.report.check == "" and accelerator.run((1, 2), max_tokens=3).tokens
    assert all(p.dtype == torch.bfloat16 for p in module.parameters())


def test_a_module_of_one_s_own_in_two_threads() -> None:
    """Both get what they gave; nothing that torch or the engine keeps for a process mixes them up."""
    modules = [decoder(seed=seed) for seed in (0, 1)]
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
    assert compiled(decoder(seed=0), check=False).report.ran == 0


def test_a_folder_and_a_project(workspace: WorkspaceFolder) -> None:
    saved = workspace.root / "Tiny"
    llama(max_position_embeddings=CONTEXT).save_pretrained(saved)
    made = compile_model(saved, name="small", attributes=SMALL, folder=workspace.root / "small")
    assert made.report.weights == "Tiny (safetensors)" and made.report.context == CONTEXT
    assert "channels: 2\n" in (workspace.root / "small/BUILD.yaml").read_text()
    again = compile_model(workspace.root / "small", attributes={"new_tokens": 3})
    assert "3 new tokens" in again.report.check
    assert made.run((1, 2), max_tokens=3).tokens == again.run((1, 2), max_tokens=3).tokens
    with pytest.raises(StbuildError, match=r"is a project already \(leave `name` and `folder` out\)"):
        compile_model(workspace.root / "small", name="x")
    with pytest.raises(StbuildError, match="`tokenizer` belongs to a module"):
        compile_model(saved, tokenizer=object())


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
