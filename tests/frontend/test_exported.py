"""A module that is exported in its process: the graph is that of its file, and the module stays as it was."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch import nn

from stbuild.errors import StbuildError
from stbuild.frontend.export import export_model, unwrapped
from stbuild.frontend.exported import read_exported, write_exported
from stbuild.frontend.model_graph import check_prefill, decode_graph, prefill_ops
from stbuild.frontend.parameter_file import digest_of, parameters_of, write_parameters
from stbuild.steps.trace import Trace
from tests.models import decoder, tiny_llama

CONTEXT = 16
MODELS: dict[str, Callable[..., nn.Module]] = {
    "llama": tiny_llama,
    "decoder": decoder,
    "tied": lambda **own: decoder(tied=True, **own),
}


def written(module: nn.Module, folder: Path) -> Path:
    """A folder with the module's programs."""
    folder.mkdir()
    write_exported(export_model(module, CONTEXT), folder)
    return folder


@pytest.mark.parametrize("name", MODELS)
def test_it_lowers_to_the_graph_of_the_module(name: str, tmp_path: Path) -> None:
    module = MODELS[name]()
    model = read_exported(written(module, tmp_path / "x"))
    expected = decode_graph(module, name="m", context=CONTEXT)
    found = decode_graph(model, name="m", context=CONTEXT)
    assert found.graph == expected.graph
    assert all((found.tables[n] == table).all() for n, table in expected.tables.items())
    check_prefill(found.graph, prefill_ops(model, context=CONTEXT))


def test_the_bytes_know_nothing_of_weights_or_places(tmp_path: Path) -> None:
    folders = [written(decoder(seed=seed), tmp_path / str(seed)) for seed in (0, 1)]
    for file in sorted(folders[0].iterdir()):
        assert file.read_bytes() == (folders[1] / file.name).read_bytes(), file.name
    with zipfile.ZipFile(folders[0] / "decode.pt2") as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("models/model.json")]
        text = archive.read(name).decode()
    assert "tests/models.py" in text
    assert "frontend/trace.py" not in text and "site-packages" not in text


def test_a_cell_of_a_notebook_is_named_without_its_process(tmp_path: Path) -> None:
    module = decoder()
    scope: dict[str, Any] = {"kept": module.norm.forward}
    source = "def forward(x):\n    return kept(x) * 0.5\n"
    exec(compile(source, "/tmp/ipykernel_4711/123.py", "exec"), scope)
    module.norm.forward = scope["forward"]  # as a notebook may do
    traces = [n.meta.get("stack_trace", "") for n in canonical(module, tmp_path)]
    assert any('File "notebook/123.py", line 2, in forward' in trace for trace in traces)
    assert not any("ipykernel" in trace for trace in traces)


def canonical(module: nn.Module, tmp_path: Path) -> Any:
    return read_exported(written(module, tmp_path / "cell")).decode.program.graph.nodes


def test_the_module_is_left_as_it_was() -> None:
    module = tiny_llama()
    module.train()
    module.requires_grad_(True)
    module.set_attn_implementation("eager")
    before = {name: (id(p), p.clone()) for name, p in module.named_parameters()}
    export_model(module, CONTEXT)
    assert module.training and module.config._attn_implementation == "eager"
    for name, parameter in module.named_parameters():
        assert id(parameter) == before[name][0] and torch.equal(parameter, before[name][1])
        assert parameter.requires_grad


def test_halves_are_traced_as_floats_and_kept_as_halves(tmp_path: Path) -> None:
    module = tiny_llama().bfloat16()
    found = decode_graph(export_model(module, CONTEXT), name="m", context=CONTEXT)
    assert found.graph == decode_graph(tiny_llama(), name="m", context=CONTEXT).graph
    assert module.model.rotary_emb.inv_freq.dtype == torch.bfloat16
    write_parameters(tmp_path / "w.safetensors", parameters_of(module))
    with safe_open(tmp_path / "w.safetensors", framework="pt") as file:
        kept = file.get_tensor("lm_head.weight")
    assert kept.dtype == torch.bfloat16 and torch.equal(kept, module.lm_head.weight)


def test_tied_parameters_are_written_once() -> None:
    names = set(parameters_of(decoder(tied=True)))
    assert "embed.weight" in names and "lm_head.weight" not in names


def test_parameters_that_share_memory_are_written_apart(tmp_path: Path) -> None:
    module, memory = nn.Module(), torch.arange(8.0)
    module.a, module.b = nn.Parameter(memory[:4]), nn.Parameter(memory[4:])
    write_parameters(tmp_path / "w.safetensors", parameters_of(module))
    with safe_open(tmp_path / "w.safetensors", framework="pt") as file:
        assert file.get_tensor("b").tolist() == [4, 5, 6, 7]


def test_a_digest_tells_bits_types_and_names_apart() -> None:
    values = torch.tensor([1.0, 0.0])
    known = [
        {"a": values}, {"b": values}, {"a": values.half()}, {"a": values.view(2, 1)},
        {"a": torch.tensor([1.0, -0.0])}, {}, {"a": values, "b": values},
    ]  # fmt: skip
    assert len({digest_of(parameters) for parameters in known}) == len(known)
    assert digest_of({"a": values.clone()}) == digest_of({"a": values})


def on_meta(what: str) -> nn.Module:
    module = decoder()
    if what == "parameter":
        module.norm.weight = nn.Parameter(torch.ones(64, device="meta"))
    else:
        module._buffers["frequency"] = module.frequency.to("meta")
    return module


def with_int8() -> nn.Module:
    module = decoder()
    module.norm.weight = nn.Parameter(torch.ones(64, dtype=torch.int8), requires_grad=False)
    return module


@pytest.mark.parametrize(
    ("module", "sentence"),
    [
        (
            on_meta("parameter"),
            r"'norm.weight' is on the meta device and has no values \(load its weights first",
        ),
        (
            with_int8(),
            r"'norm.weight' is torch.int8, not plain floats \(give the module before it is quantised",
        ),
    ],
)
def test_parameters_that_are_refused(module: nn.Module, sentence: str) -> None:
    with pytest.raises(StbuildError, match=sentence):
        parameters_of(module)


def test_a_buffer_without_values() -> None:
    with pytest.raises(StbuildError, match=r"the buffer 'frequency' is on the meta device and has no values"):
        export_model(on_meta("buffer"), CONTEXT)


def test_a_compiled_module_is_unwrapped() -> None:
    module = decoder()
    assert unwrapped(torch.compile(module)) is module


def test_damaged_folders(tmp_path: Path) -> None:
    folder = written(decoder(), tmp_path / "x")
    program = (folder / "decode.pt2").read_bytes()
    (folder / "decode.pt2").write_bytes(program[:-1000])
    with pytest.raises(
        StbuildError, match=r"decode.pt2: not an exported program: .* \(export the model again"
    ):
        read_exported(folder)
    (folder / "decode.pt2").write_bytes(program)
    (folder / "about.json").write_text("{}")
    with pytest.raises(StbuildError, match=r"not an exported model: about\.json cannot be read: 'names'"):
        read_exported(folder)


def test_a_context_that_is_not_the_exported_one(tmp_path: Path) -> None:
    folder = written(decoder(), tmp_path / "x.exported")
    made: dict[str, Any] = {n: tmp_path / n for n in ("graph", "tables", "names", "lines", "text")}
    with pytest.raises(StbuildError, match="the model was exported for a context of 16, not of 32"):
        Trace[Path](model=folder, context=32, name="m", **made).run()
