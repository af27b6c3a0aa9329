"""Law: a channel's reader sends the cache's tiles in the order of the engine's ops, as many as it says."""

import random
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stbuild.ir.kv import KvHeads, KvLayout, KvPart
from tests.hls_lib.emulator.network import HLS_LIB, compile_cpp

RUNS = 2
HEADER = Path(__file__).with_name("kv_tiles.hpp")
SYSTEM = """namespace stb { namespace sim {
void build() {}
void launch(void* const*, const std::uint64_t*) {}
} }"""
"""None: the emulator asks for one."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Of a cache, and of the engine that reads it."""

    kv_heads: int
    shared: int
    head_dim: int
    context: int
    channels: int
    batch: int

    @property
    def layout(self) -> KvLayout:
        """How its tiles lie."""
        heads = KvHeads(heads=self.kv_heads * self.shared, kv_heads=self.kv_heads, head_dim=self.head_dim)
        return KvLayout(heads=heads, runs=RUNS, context=self.context, channels=self.channels)


SHIPPED = (
    Sizes(kv_heads=3, shared=3, head_dim=64, context=128, channels=10, batch=8),
    Sizes(kv_heads=16, shared=1, head_dim=64, context=128, channels=28, batch=8),
    Sizes(kv_heads=32, shared=1, head_dim=128, context=64, channels=29, batch=12),
    Sizes(kv_heads=1, shared=8, head_dim=256, context=150, channels=5, batch=32),
    Sizes(kv_heads=2, shared=2, head_dim=512, context=64, channels=3, batch=5),
    Sizes(kv_heads=20, shared=1, head_dim=16, context=120, channels=30, batch=1),
)
"""Those of projects, and extreme ones."""


def drawn(count: int) -> Iterator[Sizes]:
    """Sizes that nobody has chosen."""
    draw = random.Random(1)
    for _ in range(count):
        yield Sizes(
            kv_heads=draw.randint(1, 24),
            shared=draw.randint(1, 5),
            head_dim=16 * draw.randint(1, 20),
            context=draw.randint(33, 200),
            channels=draw.randint(1, 32),
            batch=draw.randint(1, 33),
        )


def call(sizes: Sizes) -> str:
    """The check of one size: the region's words, and the ops in the order of the schedule."""
    layout = sizes.layout
    ops = (
        f"{{{int(part is KvPart.VALUES)}, {head}, {layout.base(part, head)}}}"
        for part, head in layout.heads.order()
    )
    shape = f"{sizes.kv_heads}, {sizes.shared}, {sizes.head_dim}, {sizes.context}, {sizes.channels}"
    return f"  kv_tiles::check<{shape}, {sizes.batch}>({layout.words}, {{{', '.join(ops)}}});"


def test_readers_send_the_tiles_of_the_ops(tmp_path: Path) -> None:
    source, program = tmp_path / "kv_tiles.cpp", tmp_path / "kv_tiles"
    calls = "\n".join(map(call, (*SHIPPED, *drawn(14))))
    source.write_text(f'#include "{HEADER}"\n{SYSTEM}\nint main() {{\n{calls}\n}}\n')
    sim = sorted((HLS_LIB / "sim").glob("*.cpp"))
    compile_cpp(["-O1", str(source), *map(str, sim), "-o", str(program)])
    done = subprocess.run([program], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
