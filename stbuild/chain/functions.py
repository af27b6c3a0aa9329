"""Which hls_lib function each process of the emulated network runs."""

from collections.abc import Mapping

from stbuild.codegen.engine import ACT_FAN, MERGE, lanes_of
from stbuild.codegen.identifiers import with_identifiers
from stbuild.ir.call import Call
from stbuild.ir.design import Design, Process
from stbuild.ir.plumbing import (
    Collect,
    ComputeUnit,
    Dispatch,
    ReadKv,
    ReadParams,
    ReadWeights,
    Sequence,
    WriteKv,
    WriteWords,
)
from stbuild.ir.site import call_site
from stbuild.ir.streaming import Streaming

PLUMBING = {
    Collect: "collect",
    Dispatch: "dispatch",
    ReadKv: "read_kv",
    ReadParams: "read_params",
    ReadWeights: "read_weights",
    Sequence: "sequence",
    WriteKv: "write_kv",
    WriteWords: "write_words",
}
VARIANTS = {"CENTER": "centred", "INTERLEAVED": "interleaved"}
"""Template arguments that make another process of a function."""
UNIT_PARTS = {ACT_FAN: "act_fan", MERGE: "merge"}


def process_functions(design: Design) -> Mapping[str, str]:
    """By the emulator's names of the processes."""
    named, found = with_identifiers(design), {}
    for process in named.processes:
        unit = named.unit_of(process)
        if isinstance(process.op, ComputeUnit):
            found.update({f"{unit}.{part}": name for part, name in UNIT_PARTS.items()})
            lanes = lanes_of(named.engines[process.op.engine], process.op.unit)
            found.update({f"{unit}.{lane.process}": "mac_lane" for lane in lanes})
        else:
            found[f"{unit}.{process.name}"] = _function(process, named)
    return found


def _function(process: Process, design: Design) -> str:
    if isinstance(process.op, Streaming):
        return _variant(process.op.call(call_site(process, design)))
    return PLUMBING[type(process.op)]


def _variant(call: Call) -> str:
    """A function with its variants that have loops or data paths of their own."""
    arguments = dict(call.arguments)
    return " ".join([*(name for key, name in VARIANTS.items() if arguments.get(key)), call.function])
