"""A small model all the way to an emulated card, in process: for tests of what the chain computes."""

import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from stbuild.chain.recording import HiddenStream, hidden_streams
from stbuild.codegen.kernels import kernel_files
from stbuild.codegen.system import system_file
from stbuild.frontend.model_graph import decode_graph
from stbuild.frontend.weights import Checkpoint, index_of
from stbuild.ir import serde
from stbuild.ir.design import Design
from stbuild.ir.engine import Engine
from stbuild.ir.formats import USUAL, Formats
from stbuild.ir.graph import Graph
from stbuild.pack.files import RegionFiles
from stbuild.pack.images import write_memory
from stbuild.package.bundle import load_bundle
from stbuild.passes.numerics import FixNumerics
from stbuild.passes.pipeline import plan_engines
from stbuild.passes.sizes import SizeOverrides, largest_engine
from stbuild.platform import Platform
from stbuild.reference.interpreter import OUTPUTS, Outcome, Reference
from stbuild.runtime.devices.native import NativeDevice
from stbuild.runtime.session import Session
from stbuild.steps.package import Package
from stbuild.toolchain import emu
from tests.module_weights import weights_of

ROOT = Path(__file__).resolve().parents[1]
INCLUDE = ROOT / "hls_lib/include"
FLAGS = ("-std=c++17", "-O1", "-march=native", "-fPIC", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas",
         "-Wno-unused-label")  # fmt: skip

DEFAULT = SizeOverrides()
LONG = tuple((5 * i * i + 3) % 61 for i in range(71))
"""Tokens over two blocks of the KV cache and a part of the third."""
TRACED = ("STB_TRACE=1",)
STRICT = (*TRACED, "STB_STRICT=1")
Compiler = Callable[[Design, Path], Path]
"""Makes the kernel image of a design in a folder."""
Tables = Mapping[str, NDArray[np.float32]]
"""Position tables by name."""


@cache
def platform(name: str) -> Platform:
    """A card of the project's own folder."""
    scope: dict[str, Any] = {}
    exec(compile((ROOT / f"platforms/{name}.py").read_text(), name, "exec"), scope)
    card = scope[name.upper()]
    assert isinstance(card, Platform)
    return card


@dataclass(frozen=True, kw_only=True)
class Accelerator:
    """A model with its design, its reference and its loaded bundle."""

    graph: Graph
    design: Design
    reference: Reference
    bundle: Path

    def device(self) -> NativeDevice:
        """The emulated card with the bundle loaded."""
        return NativeDevice(load_bundle(self.bundle))

    def run(self, tokens: Sequence[int], chunks: Sequence[int]) -> "Seen":
        """Take in `tokens` in launches of `chunks` tokens with the head at the end of each."""
        device = self.device()
        streams = [hidden.stream for hidden in hidden_streams(self.design)]
        words: dict[str, list[bytes]] = {s: [] for s in streams}
        for stream in streams:
            device.tap(stream, words[stream].append)
        session = Session(device, load_bundle(self.bundle).manifest.model)
        logits, at, greedy = [], 0, []
        for size in chunks:
            greedy.append(session.prefill(tokens[at : at + size]))
            logits.append(session.logits())
            at += size
        device.close()
        return Seen(greedy=greedy, logits=logits, hidden={s: b"".join(w) for s, w in words.items()})

    def expected(self, tokens: Sequence[int]) -> Outcome:
        """What the reference says to `tokens`."""
        return self.reference.run(tuple(tokens), keep=(OUTPUTS,), all_logits=True)

    def check(self, tokens: Sequence[int], chunks: Sequence[int]) -> None:
        """The card equals the reference in logits and in every hidden state, whatever the chunks."""
        seen, expected = self.run(tokens, chunks), self.expected(tokens)
        ends = np.cumsum(chunks) - 1
        for logits, end in zip(seen.logits, ends, strict=True):
            assert np.array_equal(logits, expected.logits[end].numpy()), f"logits of token {end}"
        assert seen.greedy == [int(expected.logits[end].argmax()) for end in ends]
        for hidden in hidden_streams(self.design):
            assert seen.hidden[hidden.stream] == self._hidden(hidden, expected, chunks), hidden

    def _hidden(self, hidden: HiddenStream, expected: Outcome, chunks: Sequence[int]) -> bytes:
        """The reference's states in the order of the stream: launch, run, token."""
        block = self.graph.blocks[hidden.block]
        value = block.outputs[hidden.slot]
        parts: list[NDArray[np.int32]] = []
        at = 0
        for size in chunks:
            runs = [expected.kept[(block.name, run, value)] for run in range(block.count)]
            parts += [state[at : at + size].numpy().astype("<i4") for state in runs]
            at += size
        return b"".join(p.tobytes() for p in parts)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the card said: after each launch the greedy token and the logits; the words of tapped streams."""

    greedy: list[int]
    logits: list[NDArray[np.int32]]
    hidden: dict[str, bytes]


def accelerate(model: nn.Module, folder: Path, *, card: str = "u55c", context: int = 80, group: int = 32,
               defines: Sequence[str] = (), compiler: Compiler | None = None,
               change: Callable[[Design], Design] | None = None, engines: tuple[Engine, ...] = (),
               formats: Formats = USUAL,
               **overrides: int) -> Accelerator:  # fmt: skip
    """Trace, plan, generate, compile (by `compiler`, else g++), pack and bundle `model` below `folder`.

    `change` is made to the finished design; `engines` are those that it has, else one is chosen.
    """
    traced = decode_graph(model, name="small", context=context)
    graph = FixNumerics(formats=formats)(traced.graph)
    weights = weights_of(model, graph, group)
    return accelerate_graph(graph, weights, traced.tables, folder, card, defines, compiler,
                            SizeOverrides(**overrides), change, engines)  # fmt: skip


def accelerate_graph(graph: Graph, weights: Checkpoint, tables: Tables, folder: Path, card: str = "u55c",
                     defines: Sequence[str] = (), compiler: Compiler | None = None,
                     overrides: SizeOverrides = DEFAULT, change: Callable[[Design], Design] | None = None,
                     engines: tuple[Engine, ...] = ()) -> Accelerator:  # fmt: skip
    """The same from a graph after the numerics pass, with its numbers."""
    index = index_of(graph, weights)
    engines = engines or (largest_engine(platform(card), overrides, graph.context),)
    design = plan_engines(graph, index, platform(card), engines)
    design = change(design) if change else design
    memory = folder / "memory"
    with RegionFiles(memory) as files:
        write_memory(design, weights, tables, files.append)
    image = compiler(design, folder) if compiler else compile_design(design, folder, defines)
    serde.write(folder / "design.json", design)
    serde.write(folder / "index.json", index)
    (folder / "tokenizer").mkdir()
    bundled(folder, platform(card), image, folder / "bundle")
    reference = Reference(graph=graph, weights=weights, tables=tables)
    return Accelerator(graph=graph, design=design, reference=reference, bundle=folder / "bundle")


def bundled(folder: Path, card: Platform, image: Path, bundle: Path) -> None:
    """A bundle of another image with the design and the memory images in `folder`."""
    Package[Path](
        design=folder / "design.json",
        index=folder / "index.json",
        platform=card,
        target="sw_emu",
        system="",
        cpu="native",
        image=image,
        memory=folder / "memory",
        tokenizer=folder / "tokenizer",
        bundle=bundle,
    ).run()


def compile_design(design: Design, folder: Path, defines: Sequence[str] = ()) -> Path:
    """The kernel image of `design`: one file, since reading hls_lib for each kernel takes longest."""
    return one_file(design, folder, tuple(defines), "-O0")


def traced_image(design: Design, folder: Path, *, strict: bool = False) -> Path:
    """The kernel image of `design` that keeps traces: one file without optimisation, quickest to compile.

    In the `strict` mode pipelines that stall hold back their last outputs.
    """
    return one_file(design, folder, STRICT if strict else TRACED, "-O0")


def one_file(design: Design, folder: Path, defines: tuple[str, ...], optimisation: str) -> Path:
    """The kernel image of `design`, compiled as one file."""
    source, image = folder / "design.cpp", folder / "kernels.so"
    source.write_text("\n".join((*kernel_files(design).values(), system_file(design))))
    compiled = compile_one(source, folder, defines, optimisation)
    subprocess.run(["g++", "-shared", compiled, *runtime_objects(defines), "-o", image], check=True)
    return image


def compile_one(source: Path, folder: Path, defines: tuple[str, ...], *flags: str) -> Path:
    """One object."""
    out = folder / f"{source.stem}.o"
    macros = [f"-D{d}" for d in defines]
    subprocess.run(["g++", *FLAGS, *flags, *macros, f"-I{INCLUDE}", "-c", source, "-o", out], check=True)
    return out


@cache
def runtime_objects(defines: tuple[str, ...]) -> tuple[Path, ...]:
    """The emulator's own objects, compiled once a test session."""
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="stbuild-sim-"))
    return tuple(compile_one(ROOT / f"hls_lib/sim/{n}.cpp", folder, defines) for n in emu.SIM_SOURCES)
