"""What a twin takes of the fabric, and its longest path, from the netlist that Yosys makes of it."""

import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks import yosys
from benchmarks.part_costs import Counts, Parameters, counts_of, with_parameters
from benchmarks.twins.comparison import Case
from benchmarks.twins.levels import Path as LevelPath
from benchmarks.twins.levels import longest_path
from benchmarks.twins.verilated import SOURCES, TWINS
from stbuild.platform import Fabric
from stbuild.resources.costs import cost_of
from stbuild.resources.usage import PROCESS
from tests.accelerator import platform

MEASURED = TWINS / "measured.json"
"""What Yosys counted, kept."""


@dataclass(frozen=True, kw_only=True)
class Synthesis:
    """Counts and the longest path."""

    counts: Counts
    path: LevelPath


def synthesize(module: str, parameters: Parameters) -> Synthesis:
    """A twin with these parameters, flat, for an UltraScale+ part."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        sources = [_copied(source, module, parameters, folder) for source in SOURCES]
        for table in TWINS.glob("*.hex"):
            shutil.copy(table, folder)
        script = (
            f"read_verilog -sv {' '.join(sources)}; hierarchy -top {module}; "
            f"synth_xilinx -family xcup -flatten -noiopad -noclkbuf -top {module}; "
            "tee -o stat.json stat -json; write_json netlist.json"
        )
        yosys.run(script, folder, f"{module} with {dict(parameters)}")
        netlist = json.loads((folder / "netlist.json").read_text())
        return Synthesis(
            counts=counts_of(json.loads((folder / "stat.json").read_text())),
            path=longest_path(netlist, module),
        )


def modelled(case: Case) -> Fabric:
    """What stbuild/resources says of the process."""
    card = platform("u55c")
    parts = sum((cost_of(part, card.dsp.type, card.available) for part in case.hardware), PROCESS)
    return parts + card.axi.adapter_cost if case.memory_port else parts


def _copied(source: Path, module: str, parameters: Parameters, folder: Path) -> str:
    """The name of the source's copy in `folder`, with the parameters if it is the module's own."""
    text = source.read_text()
    copy = folder / source.name
    copy.write_text(with_parameters(text, parameters) if source.stem == module else text)
    return source.name
