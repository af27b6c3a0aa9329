"""What v++ asks of a kernel beyond C++, as rules on its text: each gives the sentences of its violations.

Sources: AMD UG1399 (interfaces; canonical dataflow), UG1448 (messages 200-976: an argument that one process
reads and another writes; 200-1013: a bundle that several processes read).
"""

import re
from collections import Counter
from collections.abc import Iterator

from tests.hls_lib.kernel_text import KernelText, ProcessCall

_WORDS = """
always and assign automatic begin bit buf byte case cell class config const default design disable
do edge else end endcase enum event export extern final for force fork function generate genvar if
import initial inout input instance int integer interface join library local logic longint
macromodule module nand negedge new nor not null or output package packed parameter posedge
primitive priority program property protected pull pulldown pullup pure rand real ref reg release
repeat return scalared sequence shortint signed small specify static string strong struct super
supply0 supply1 table task this time timescale tran tri type typedef union unique unsigned use var
vectored virtual void wait wand weak while wire with wor xnor xor
"""
VERILOG = frozenset(_WORDS.split())
"""Reserved words of Verilog, SystemVerilog and VHDL's `use` and `library`; ports become names in RTL."""


def faults(kernel: KernelText) -> list[str]:
    """All violations."""
    rules = (_body, _names, _interfaces, _operands, _streams, _order, _pointers, _bundles)
    return [fault for rule in rules for fault in rule(kernel)]


def directions(call: ProcessCall) -> str:
    """For each operand of an hls_lib process: i it reads from, o it writes to, - neither (a number)."""
    count = len(call.operands)
    match call.function:
        case "fan_out" | "split_params":
            return "i" + "o" * (count - 1)
        case "fork" | "act_fan":
            return "ii" + "o" * (count - 2)
        case "loop_tail" | "argmax":
            return "iioo"
        case "concat":
            return "io" + "i" * (count - 2)
        case "attention":
            return "iiiiiiooo"
        case "dispatch" | "collect" | "merge":
            lanes = re.match(r"stb::UnitLanes<([\d, ]+)>", ", ".join(call.template))
            sources = 1 + (len(lanes[1].split(", ")) if lanes else int(call.template[0]))
            return "i" * sources + "o" * (count - sources)
        case "read_weights":
            return "i---o"
        case "attention_heads":
            return "iiiii" + "o" * (count - 5)
        case "attention_scores" | "attention_scores_with_sinks" | "attention_weights":
            return "i" * (count - 3) + "ooo"
        case "write_words" | "write_head_words":
            return "o" + "-" * (count - 2) + "i"
        case "sequence" | "read_params":
            return "".join(_direction_of_memory(o) for o in call.operands)
        case _ if "pos" in call.operands:  # moves the cache, by text of the kernel's own
            writes = any(o.endswith("_out_mem") for o in call.operands)
            found = "".join(_direction_of_memory(o) for o in call.operands)
            return found.translate(str.maketrans("io", "oi")) if writes else found
        case _:
            return "i" * (count - 1) + "o"


def _direction_of_memory(operand: str) -> str:
    if operand in ("n", "pos", "head"):
        return "-"
    return "i" if operand.endswith("_mem") else "o"


def uses(kernel: KernelText, way: str) -> dict[str, list[str]]:
    """The processes that read (`way` i) or write (o) each stream or memory."""
    found: dict[str, list[str]] = {}
    for call in kernel.calls:
        for operand, direction in zip(call.operands, directions(call), strict=True):
            if direction == way:
                found.setdefault(operand, []).append(call.process)
    return found


def _named(kernel: KernelText, kind: str) -> list[str]:
    return [p.name for p in kernel.parameters if p.kind.endswith(kind)]


def _body(kernel: KernelText) -> Iterator[str]:
    for line in kernel.others:
        yield f"neither a pragma nor a stream nor a call: {line}"
    counts = Counter(p.directive for p in kernel.pragmas)
    if counts["DATAFLOW"] != 1 or set(counts) - {"BIND_STORAGE"} != {"DATAFLOW", "INTERFACE"}:
        yield f"the pragmas are {dict(counts)}"
    fifos = {fifo.name for fifo in kernel.fifos}
    for pragma in kernel.pragmas:
        options = pragma.options
        if pragma.directive == "BIND_STORAGE" and (
            options["variable"] not in fifos or options["type"] != "fifo"
        ):
            yield f"{options['variable']} is bound as {options['type']}, and is no FIFO of the kernel"


def _names(kernel: KernelText) -> Iterator[str]:
    local = [*(p.name for p in kernel.parameters), *(f.name for f in kernel.fifos)]
    for name, times in Counter(local).items():
        if times > 1:
            yield f"{name} is declared {times} times"
    for name in (kernel.name, *local):
        if name in VERILOG or "__" in name or name.startswith("_"):
            yield f"{name} cannot be a name in Verilog"


def _interfaces(kernel: KernelText) -> Iterator[str]:
    pragmas = {"return": [], **{p.name: [] for p in kernel.parameters}}  # type: dict[str, list[dict[str, str]]]
    for pragma in kernel.pragmas:
        if pragma.directive == "INTERFACE":
            pragmas.setdefault(pragma.options["port"], []).append(pragma.options)
    hosted = any(p.kind != "stream" for p in kernel.parameters)
    written = {p.name for p in kernel.parameters if p.kind == "pointer"}
    modes = {p.name: _mode(p.kind) for p in kernel.parameters}
    modes["return"] = "s_axilite" if hosted else "ap_ctrl_none"
    for port, options in pragmas.items():
        if [o["mode"] for o in options] != [modes.get(port, "no such port")]:
            yield f"{port} has the interfaces {[o['mode'] for o in options]}"
        for each in options:
            if each["mode"] == "m_axi" and (each.get("offset") != "slave" or "bundle" not in each):
                yield f"{port} has no bundle, or no offset from the host"
            if each["mode"] == "m_axi" and not {"latency", *_bursts(port in written)} <= set(each):
                yield f"{port} does not say how long its bursts are, and how many may be under way"


def _bursts(written: bool) -> set[str]:
    way = "write" if written else "read"
    return {f"max_{way}_burst_length", f"num_{way}_outstanding"}


def _mode(kind: str) -> str:
    return {"stream": "axis", "scalar": "s_axilite"}.get(kind, "m_axi")


def _operands(kernel: KernelText) -> Iterator[str]:
    known = {p.name for p in kernel.parameters} | {f.name for f in kernel.fifos}
    for call in kernel.calls:
        for operand in call.operands:
            if operand not in known and not operand.isdigit():
                yield f"{call.process} is given {operand}, neither a name nor a number"


def _streams(kernel: KernelText) -> Iterator[str]:
    readers, writers = uses(kernel, "i"), uses(kernel, "o")
    for fifo in kernel.fifos:
        ends = (len(readers.get(fifo.name, [])), len(writers.get(fifo.name, [])))
        if ends != (1, 1):
            yield f"{fifo.name} has {ends[0]} readers and {ends[1]} writers"
    for port in _named(kernel, "stream"):
        if len([*readers.get(port, []), *writers.get(port, [])]) != 1:
            yield f"port {port} is used by {readers.get(port, [])} and {writers.get(port, [])}"


def _order(kernel: KernelText) -> Iterator[str]:
    """Producers stand before consumers; only a loop's tail sends back."""
    position = {call.process: i for i, call in enumerate(kernel.calls)}
    function = {call.process: call.function for call in kernel.calls}
    readers, writers = uses(kernel, "i"), uses(kernel, "o")
    for fifo in kernel.fifos:
        for writer in writers.get(fifo.name, []):
            early = [r for r in readers.get(fifo.name, []) if position[r] < position[writer]]
            if early and function[writer] != "loop_tail":
                yield f"{early[0]} reads {fifo.name} before {writer} writes it"


def _pointers(kernel: KernelText) -> Iterator[str]:
    readers, writers = uses(kernel, "i"), uses(kernel, "o")
    for parameter in kernel.parameters:
        if not parameter.kind.endswith("pointer"):
            continue
        used = (len(readers.get(parameter.name, [])), len(writers.get(parameter.name, [])))
        if used != ((1, 0) if parameter.kind.startswith("const") else (0, 1)):
            yield f"{parameter.name} ({parameter.kind}) has {used[0]} readers and {used[1]} writers"


def _bundles(kernel: KernelText) -> Iterator[str]:
    bundle = {p.options["port"]: p.options["bundle"] for p in kernel.pragmas if "bundle" in p.options}
    for way, verb in (("i", "read"), ("o", "written")):
        processes: dict[str, set[str]] = {}
        for operand, users in uses(kernel, way).items():
            if operand in bundle:
                processes.setdefault(bundle[operand], set()).update(users)
        for name, users_of in processes.items():
            if len(users_of) > 1:
                yield f"bundle {name} is {verb} by {sorted(users_of)}"
