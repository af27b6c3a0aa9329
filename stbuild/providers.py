"""What one step of an accelerator's chain hands the next."""

from dataclasses import dataclass

from stbuild.engine.graph.artifact import File, Tree


@dataclass(frozen=True, kw_only=True)
class TraceInfo:
    """The tensor graph of a model, its position tables (safetensors, [context, width] each), the
    checkpoint's names for parameters where they differ from the model's, and the source lines of its ops;
    `model` with the `srcs` that it reads makes the model again; `context` is the number of positions of
    the KV cache, `formats` the project's own fraction bits if there are any; `merge_lora` says that the graph
    has LoRA modules merged."""

    graph: File
    tables: File
    names: File
    lines: File
    model: File
    context: int
    srcs: tuple[File, ...] = ()
    formats: File | None = None
    merge_lora: bool = False


@dataclass(frozen=True, kw_only=True)
class WeightsInfo:
    """A checkpoint: its index, the file or folder itself (None: synthetic), and the tokenizer's files."""

    index: File
    source: File | None
    options: File
    tokenizer: Tree


@dataclass(frozen=True, kw_only=True)
class PartitionInfo:
    """The graph in fixed point, the design for a platform, and the design in words; what it takes of the
    card with the judgement whether it fits (`resources`), and the same to read (`area`) and in
    a line (`summary`)."""

    graph: File
    design: File
    report: File
    resources: File
    area: File
    summary: File
    trace: TraceInfo
    weights: WeightsInfo


@dataclass(frozen=True, kw_only=True)
class HlsInfo:
    """One C++ file per kernel, the linker's configuration, and the network for emulation."""

    kernels: Tree
    cfg: File
    system: File
    partition: PartitionInfo


@dataclass(frozen=True, kw_only=True)
class KernelsInfo:
    """Compiled kernels, one object each; `report` is what the compiler said of them, if it says anything."""

    objects: Tree
    hls: HlsInfo
    report: File | None = None


@dataclass(frozen=True, kw_only=True)
class LinkInfo:
    """The kernel image, which the bundle's xclbin is made around, or a whole `xclbin` of the linker's.

    `report` is what the linker achieved (`stbuild.package.link_report`), `beside` is what else a device
    needs in the bundle.
    """

    hls: HlsInfo
    image: File | None = None
    xclbin: File | None = None
    report: File | None = None
    beside: tuple[File, ...] = ()


@dataclass(frozen=True, kw_only=True)
class BundleInfo:
    """Everything that a device needs: xclbin, weights per channel, manifest, tokenizer; `system` is the
    message that conversations begin with."""

    bundle: Tree
    link: LinkInfo
    system: str = ""


@dataclass(frozen=True, kw_only=True)
class SmokeInfo:
    """What the device said to the smoke prompts: tokens, hidden states, logits; the tokens alone.

    `measured` holds times, which differ from run to run: an action that reads it would run again for nothing.
    """

    run: Tree
    tokens: File
    measured: File
    bundle: BundleInfo


@dataclass(frozen=True, kw_only=True)
class ReferenceInfo:
    """What the reference says to the same tokens."""

    expected: Tree
    smoke: SmokeInfo


@dataclass(frozen=True, kw_only=True)
class FloatCheckInfo:
    """What the comparison with the model itself found, to read, and its closing line.

    Both have figures in floats, whose last digits depend on the processor; `verdict` tells that it passed.
    """

    report: File
    summary: File
    verdict: File


@dataclass(frozen=True, kw_only=True)
class CyclesInfo:
    """Simulated cycles of a design on a platform, as data and in words."""

    cycles: File
    report: File


@dataclass(frozen=True, kw_only=True)
class DeployInfo:
    """The report of a deployment that passed its check."""

    report: File
    summary: File
