"""Every generated kernel compiles as synthesis sees it, keeps the rules of v++, and gives the same bits."""

import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

from stbuild.codegen.kernels import kernel_files
from stbuild.codegen.system import system_file
from stbuild.ir.design import Design
from tests.accelerator import accelerate, runtime_objects
from tests.chain.test_variants import TOKENS, VARIANTS
from tests.golden.designs import Planned, project_graph, traced
from tests.golden.test_golden import CONTEXTS, GROUPS
from tests.hls_lib.kernel_rules import faults
from tests.hls_lib.kernel_text import one_line_each, read_kernel
from tests.hls_lib.synthesis_branch import BOUNDED, check_files, compile_files
from tests.models import decoder, tiny_llama

SMALL = {"channels": 6, "lanes": 3, "chunk": 4}


@cache
def design_of(name: str) -> Design:
    """The design of a tiny Llama, of a changed block, or of a project on the U55C."""
    if name in GROUPS:
        return Planned.of(project_graph(name, CONTEXTS[name]), "u55c", group=GROUPS[name]).design
    model = decoder(**VARIANTS[name]) if name in VARIANTS else tiny_llama()
    return Planned.of(traced(model, name), "u55c", **SMALL).design


def written(texts: Mapping[str, str], folder: Path) -> list[Path]:
    """A C++ file for each text."""
    for name, text in texts.items():
        (folder / f"{name}.cpp").write_text(text)
    return [folder / f"{name}.cpp" for name in texts]


MODELS = ("tiny_llama", *VARIANTS, *GROUPS)


@pytest.mark.parametrize("name", MODELS)
def test_every_kernel_compiles_as_synthesis_sees_it(name: str, tmp_path: Path) -> None:
    check_files(written(kernel_files(design_of(name)), tmp_path))


@pytest.mark.parametrize("name", MODELS)
def test_every_kernel_is_a_legal_top(name: str) -> None:
    for kernel, text in kernel_files(design_of(name)).items():
        read = read_kernel(text)
        assert read.name == kernel
        assert faults(read) == []


VIOLATIONS = {
    "  STB_CALL(sequence, (sequence(": (
        "  if (head) STB_CALL(sequence, (sequence(",
        "neither a pragma nor a",
    ),
    "(read_kv(kv_in_mem, n, pos,": (
        "(read_kv(kv_in_mem, n, pos + 1,",
        "read_kv is given pos + 1, neither a name nor a number",
    ),
    "port = params_mem bundle = params offset = slave": (
        "port = params_mem bundle = program offset = slave",
        "bundle program is read by ['read_params', 'sequence']",
    ),
    "mode = m_axi port = params_mem bundle = params offset = slave": (
        "mode = m_axi port = params_mem",
        "params_mem has no bundle, or no offset from the host",
    ),
    "#pragma HLS INTERFACE mode = axis port = logits\n": ("", "logits has the interfaces []"),
    "#pragma HLS INTERFACE mode = s_axilite port = return": (
        "#pragma HLS INTERFACE mode = ap_ctrl_none port = return",
        "return has the interfaces ['ap_ctrl_none']",
    ),
    "#pragma HLS DATAFLOW\n": ("", "the pragmas are "),
    "(write_kv(kv_out_mem": (
        "(write_kv(kv_in_mem",
        "kv_in_mem (const pointer) has 1 readers and 1 writers",
    ),
    "head, weights_1)": ("head, weights_0)", "port weights_0 is used by [] and "),
    "stb::Port<stb::Word>& token,": ("stb::Port<stb::Word>& table,", "table cannot be a name in Verilog"),
}


@pytest.mark.parametrize("correct", VIOLATIONS)
def test_a_violation_in_control_is_found(correct: str) -> None:
    wrong, sentence = VIOLATIONS[correct]
    text = one_line_each(kernel_files(design_of("tiny_llama"))["control"])
    assert correct in text
    assert any(sentence in fault for fault in faults(read_kernel(text.replace(correct, wrong, 1))))


DATAFLOW_VIOLATIONS = {
    "a second reader": (
        "(layers_add_1_cmd, layers_add_to_1,",
        "(layers_add_1_cmd, layers_hidden_to_1,",
        "layers_hidden_to_1 has 2 readers and 1 writers",
    ),
    "no reader": (
        "(layers_add_1_cmd, layers_add_to_1,",
        "(layers_add_1_cmd, layers_hidden_to_1,",
        "layers_add_to_1 has 0 readers and 1 writers",
    ),
    "declared twice": (
        "STB_FIFO(stb::Word, layers_add, 32)",
        "STB_FIFO(stb::Word, layers_add, 32)\n  STB_FIFO(stb::Word, layers_add, 32)",
        "layers_add is declared 2 times",
    ),
}


@pytest.mark.parametrize("case", DATAFLOW_VIOLATIONS)
def test_a_violation_in_a_dataflow_region_is_found(case: str) -> None:
    correct, wrong, sentence = DATAFLOW_VIOLATIONS[case]
    text = one_line_each(kernel_files(design_of("tiny_llama"))["layers_residual"])
    assert correct in text
    assert sentence in faults(read_kernel(text.replace(correct, wrong, 1)))


def test_a_consumer_before_its_producer_is_found() -> None:
    text = one_line_each(kernel_files(design_of("tiny_llama"))["layers_residual"])
    lines = text.split("\n")
    calls = [i for i, line in enumerate(lines) if "STB_CALL" in line]
    lines[calls[1] : calls[-1] + 1] = lines[calls[1] : calls[-1] + 1][::-1]
    found = faults(read_kernel("\n".join(lines)))
    assert (
        "layers_input_layernorm_q reads layers_input_layernorm before layers_input_layernorm writes it"
        in found
    )
    assert not any("layers_back_0" in fault for fault in found)


def test_the_synthesis_branch_gives_the_same_bits(tmp_path: Path) -> None:
    """Logits, tokens and hidden states of a whole card made of ap_uint words and hls::stream."""
    card = accelerate(tiny_llama(), tmp_path, compiler=synthesis_image, context=16, channels=2, chunk=4)
    card.check(TOKENS[:7], (4, 1, 2))


def synthesis_image(design: Design, folder: Path) -> Path:
    """Every kernel as synthesis sees it, joined by the emulator's bounded FIFOs and fibers."""
    texts = {**kernel_files(design), "system": system_file(design)}
    objects = compile_files(written(texts, folder), folder, stand_in=BOUNDED)
    image = folder / "kernels.so"
    subprocess.run(["g++", "-shared", *objects, *runtime_objects(()), "-o", image], check=True)
    return image
