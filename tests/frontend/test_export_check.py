"""Exported programs compute what their module computes, or the export is refused with the op that differs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from stbuild.errors import StbuildError
from stbuild.frontend.export import export_model
from stbuild.frontend.export_check import Numbers
from stbuild.frontend.exported import read_exported, write_exported
from stbuild.frontend.exported_run import ExportedRun
from stbuild.frontend.module_run import ModuleRun
from tests.families import family_model
from tests.models import decoder, tiny_llama

CONTEXT = 32
TOKENS = tuple((7 * i + 3) % 64 for i in range(21))
MODELS: dict[str, Callable[[], nn.Module]] = {
    "decoder": decoder,
    "embedded positions, tied": lambda: decoder(rotary_dim=0, tied=True),
    "llama": tiny_llama,
    "gemma2": lambda: family_model("Gemma2"),
    "falcon": lambda: family_model("Falcon alibi"),
    "phi3": lambda: family_model("Phi3 longrope"),
}


def near(a: Tensor, b: Tensor) -> bool:
    """Whether rows are equal but for the order of sums."""
    return bool(((a - b).norm(dim=1) <= 2e-5 * b.norm(dim=1)).all())


@pytest.mark.parametrize("name", MODELS)
def test_programs_run_as_the_module_does(name: str, tmp_path: Path) -> None:
    module = MODELS[name]()
    write_exported(export_model(module, CONTEXT), tmp_path)
    programs, own = ExportedRun(model=read_exported(tmp_path)), ModuleRun(module=module, context=CONTEXT)
    numbers = Numbers.of(module)
    for tokens, start in ((TOKENS, 0), (TOKENS[:3], 0), (TOKENS[:2], 0), (TOKENS[:3], CONTEXT - 3)):
        expected = own.logits(numbers, tokens, start)
        assert near(programs.logits(numbers, tokens, start), expected), (len(tokens), start)
        assert expected.std() > 1e-3


def test_programs_that_cannot_take_so_many_tokens_say_so() -> None:
    run = ExportedRun(model=export_model(decoder(), CONTEXT))
    assert [tokens for tokens in range(1, 6) if run.takes_at_once(tokens)] == [1, 3]
    assert run.for_another_thread() is run


def test_each_tensor_of_a_call_is_shown() -> None:
    module, seen = decoder(), list[Tensor]()
    run, numbers = ExportedRun(model=export_model(module, CONTEXT)), Numbers.of(module)
    run.logits(numbers, TOKENS[:3], CONTEXT - 3, seen.append)
    shown = run.logits(numbers, TOKENS[:3], CONTEXT - 3)
    assert any(tensor.shape == (1, 3, 64) and torch.equal(tensor[0], shown) for tensor in seen)


class Branching(nn.Module):
    """A decoder whose logits go through `change`."""

    def __init__(self, change: Any) -> None:
        super().__init__()
        self.inner, self.change = decoder(), change

    def forward(self, input_ids: Tensor, position_ids: Tensor, cache: Any, attention_mask: Tensor) -> Tensor:
        result: Tensor = self.change(self.inner(input_ids, position_ids, cache, attention_mask))
        return result


def test_a_branch_on_the_number_of_tokens_is_found_with_its_op_and_line() -> None:
    model = Branching(lambda x: torch.tanh(x) if x.shape[1] > 3 else torch.sigmoid(x))
    with pytest.raises(
        StbuildError,
        match=r"something else in a prefill of 21 tokens .*: the first op that differs is Map 'tanh'",
    ) as found:
        export_model(model, CONTEXT)
    assert "test_export_check.py:" in str(found.value.where)


def test_a_branch_on_two_tokens_is_found() -> None:
    model = Branching(lambda x: x * 1.01 if x.shape[1] == 2 else x)
    with pytest.raises(StbuildError, match="something else in a prefill of 2 tokens than in a decode step"):
        export_model(model, CONTEXT)


def test_a_module_that_differs_when_it_is_exported_is_found() -> None:
    model = Branching(lambda x: x if torch.compiler.is_exporting() else x * 1.01)
    with pytest.raises(
        StbuildError,
        match="the module is not what its export shows: the logits of 21 tokens from position 0 on",
    ) as found:
        export_model(model, CONTEXT)
    assert "differ by 0.0099 of their size (0.0001 is allowed)" in found.value.message


def test_a_module_that_fails_when_it_is_called_is_refused() -> None:
    def change(x: Tensor) -> Tensor:
        if x.shape[1] == 21:
            raise RuntimeError("too many tokens")
        return x

    with pytest.raises(
        StbuildError,
        match="Branching cannot be run with 21 tokens at position 0: RuntimeError: too many tokens",
    ) as found:
        export_model(Branching(change), CONTEXT)
    assert "test_export_check.py:" in str(found.value.where)
