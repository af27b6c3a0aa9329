"""Times the proof that no launch of Llama-2-7B hangs: `python -m benchmarks.hangs`.

Prints for each card the seconds that the pass takes and the FIFOs that it deepens.
"""

import sys
import time
from dataclasses import replace

from stbuild.passes.deadlocks import ProveFifos
from stbuild.passes.fifos import SizeFifos
from tests.accelerator import platform
from tests.golden.designs import Planned, project_graph

TARGET = 10.0


def main() -> None:
    """One line for each card."""
    graph = project_graph("llama2_7b")
    for card in ("u55c", "u280", "vck5000"):
        planned = Planned.of(graph, card, group=32).design
        sized = SizeFifos()(replace(planned, regions=()))
        start = time.perf_counter()
        proved = ProveFifos(platform=platform(card))(sized)
        seconds = time.perf_counter() - start
        pairs = zip(sized.streams, proved.streams, strict=True)
        deeper = [f"{a.name} {a.depth} -> {b.depth}" for a, b in pairs if a.depth != b.depth]
        found = ", ".join(deeper) or "none"
        sys.stdout.write(f"{card}: {seconds:.1f} s (target {TARGET:.0f} s); deepened: {found}\n")


if __name__ == "__main__":
    main()
