"""The operators that the tests of this folder compile, all into one image."""

from dataclasses import dataclass

from stbuild.ir.fixed import norm_epsilon
from stbuild.ops.norm import Norm
from tests.hls_lib.card import CHUNK, SHAPES
from tests.hls_lib.numbers import vector, words
from tests.hls_lib.single import LANES, Command, Operator, Words

RUNS = 2
WIDTH = 96

MAP_TABLE = "k_table"
BASES = tuple(int(((i * 2654435761) % 2**32 - 2**31) * 0.9) for i in range(256))
SLOPES = tuple(int(((i * 40503 * 65537 + 77) % 2**32 - 2**31) * 0.99) for i in range(256))

NORMS = {
    f"norm_{i}": (norm, frac_in)
    for i, (norm, frac_in) in enumerate(
        [
            (Norm(name="n", x="x", width=WIDTH, segment=96, eps=1e-5), 12),
            (Norm(name="n", x="x", width=WIDTH, segment=96, eps=1e-5, center=True, frac=12), 16),
            (Norm(name="n", x="x", width=WIDTH, segment=32, eps=0.0), 16),
            (Norm(name="n", x="x", width=WIDTH, segment=48, eps=1e-6, frac=12), 12),
            (Norm(name="n", x="x", width=WIDTH, segment=96, eps=3.0, center=True), 12),
            (Norm(name="n", x="x", width=WIDTH, segment=16, eps=1e-12), 16),
            (Norm(name="n", x="x", width=WIDTH, segment=96, eps=1e-5, center=True, frac=12, count=75), 16),
            (Norm(name="n", x="x", width=WIDTH, segment=16, eps=1e-6, center=True, count=5), 12),
            (Norm(name="n", x="x", width=WIDTH, segment=48, eps=1e-5, center=True, count=16), 16),
            (Norm(name="n", x="x", width=WIDTH, segment=32, eps=1e-5, count=20), 16),
        ]
    )
}
"""Norms by name with the fraction bits of their input."""

NORM_PARAMS = {
    "norm_0": "w",
    "norm_1": "wb",
    "norm_2": "",
    "norm_3": "b",
    "norm_4": "",
    "norm_5": "wb",
    "norm_6": "wb",
    "norm_7": "",
    "norm_8": "",
    "norm_9": "w",
}
"""Which parameters each norm has."""

AFFINES = {
    "affine_0": (5_000_000, 22, 0),
    "affine_1": (-4_194_304, 3, 2**30),
    "affine_2": (8_388_607, -4, -(2**33)),
    "affine_3": (0, 16, 7),
    "affine_4": (6_000_000, 70, 0),
}
"""Multiplier, shift, addend."""

ROTARIES = {
    "rotary_0": (3, 32, 32, False),
    "rotary_1": (2, 48, 16, False),
    "rotary_2": (1, 32, 8, False),
    "rotary_3": (2, 48, 32, True),
}
"""Heads, their dimension, how much of it is rotated, whether the pairs are neighbours."""


def norm_operator(name: str) -> Operator:
    """Norm `name` as a process."""
    norm, frac_in = NORMS[name]
    has = NORM_PARAMS[name]
    params = len(has) * norm.segment // 16
    flags = [str(flag).lower() for flag in (norm.center, "w" in has, "b" in has)]
    counted = f", {norm.count}" if norm.count else ""
    sizes = f"{RUNS}, 0, {WIDTH}, {norm.segment}, {flags[0]}, {frac_in}, {norm.frac}"
    call = f"stb::norm<{sizes}, {flags[1]}, {flags[2]}, {norm_epsilon(norm.eps, frac_in)}LL{counted}>"
    words = (6, params, 6) if has else (6, 6)
    return Operator(name=name, call=call, ports="ipo" if has else "io", words=words)


def rotary_operator(name: str, heads: int, head_dim: int, rotary_dim: int, interleaved: bool) -> Operator:
    """A rotary embedding as a process."""
    call = f"stb::rotary<{RUNS}, 0, {heads}, {head_dim}, {rotary_dim}, {str(interleaved).lower()}, {CHUNK}>"
    width = heads * head_dim // 16
    return Operator(name=name, call=call, ports="ipo", words=(width, 2 * rotary_dim // 16, width))


def elementwise(name: str, arguments: str, ports: str, tail: str = "") -> Operator:
    """A process over vectors of WIDTH."""
    function = name.rsplit("_", 1)[0]
    extra = f", {arguments}" if arguments else ""
    call = f"stb::{function}<{RUNS}, 0, {WIDTH}{extra}>"
    words = (6,) * len(ports) if function != "quantize" else (6, 3)
    return Operator(name=name, call=call, ports=ports, words=words, tail=tail)


OPERATORS = (
    elementwise("quantize_0", "", "io"),
    *(norm_operator(name) for name in NORMS),
    elementwise("map_0", "", "io", MAP_TABLE),
    *(elementwise(name, f"{m}, {s}, {a}LL", "io") for name, (m, s, a) in AFFINES.items()),
    elementwise("add_0", "", "iio"),
    elementwise("mul_0", "16", "iio"),
    elementwise("mul_1", "20", "iio"),
    elementwise("add_param_0", "", "ipo"),
    elementwise("mul_param_0", "12", "ipo"),
    elementwise("rescale_0", "4", "io"),
    elementwise("rescale_1", "-4", "io"),
    elementwise("rescale_2", "0", "io"),
    *(
        rotary_operator(name, *sizes) for name, sizes in ROTARIES.items()
    ),
    Operator(name="head_quantize", call=f"stb::quantize<1, 1, {WIDTH}>", ports="io"),
    Operator(name="head_add_param", call=f"stb::add_param<1, 1, {WIDTH}>", ports="iio"),
    Operator(name="head_norm", call="stb::norm<1, 1, 96, 96, false, 12, 16, true, false, 168>", ports="iio"),
    SHAPES[0].operator(),
    Operator(name="slice", call=f"stb::slice<{RUNS}, 0, 96, 32, 48>", ports="io", words=(6, 3)),
    Operator(name="concat", call=f"stb::concat<{RUNS}, 0, 32, 16, 48>", ports="oiii", words=(6, 2, 1, 3)),
    Operator(name="fork_1", call=f"stb::fork<{RUNS}, 0, 6>", ports="io", words=(6, 6)),
    Operator(name="fork_3", call=f"stb::fork<{RUNS}, 0, 6>", ports="iooo", words=(6, 6, 6, 6)),
    Operator(name="loop_head", call="stb::loop_head<3, 2>", ports="iio"),
    Operator(name="loop_tail", call="stb::loop_tail<3, 2>", ports="ioo"),
    Operator(name="take_last", call="stb::take_last<6>", ports="io"),
    Operator(name="argmax", call="stb::argmax<6, 90>", ports="ioo"),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Example:
    """A launch of one operator: what goes in, and how many words come out."""

    command: Command
    inputs: list[Words]
    outputs: list[int]
    vectors: int


def example(op: Operator) -> Example:
    """A launch of two tokens of an operator whose `words` are known."""
    tokens = 2
    turns = {"i": RUNS * tokens, "o": RUNS * tokens, "p": RUNS}
    sizes = [turns[port] * size for port, size in zip(op.ports, op.words, strict=True)]
    streams = list(zip(op.ports, sizes, strict=True))
    return Example(
        command=Command(tokens=tokens),
        inputs=[words([vector(size, size * LANES)]) for port, size in streams if port != "o"],
        outputs=[size for port, size in streams if port == "o"],
        vectors=RUNS * tokens,
    )


def _initialiser(values: tuple[int, ...]) -> str:
    return "{" + ", ".join(map(str, values)) + "}"


PRELUDE = f"static const stb::MapTable {MAP_TABLE} = {{{_initialiser(BASES)}, {_initialiser(SLOPES)}}};"
