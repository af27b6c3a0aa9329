"""What each process of `control` gets of the memory in a simulated network: bandwidth and latency.

A bank delivers what somebody measured, else its peak; a port takes at most a word per cycle of the kernel's
clock. Weight channels stream all at once: those that share a bank, or all of them where the banks are
interleaved behind one tag, share it by their bytes, so that they end together. Every other process gets
a whole bank while it is active: the dataflow lets them take turns (weights stand still while attention
reads its keys, then its values), and what little overlaps (parameters, rows, new records, logits) is
not charged twice. A region in several banks that are not interleaved is read from one bank at a time.
A read that follows no other waits for its first word as long as the card's figure says, where there is
one: the start of each run of addresses, not each burst, and nothing for the adapter of a kernel's port.
Refresh beyond what the measured figure holds is not modelled.
"""

from dataclasses import dataclass
from math import ceil

from stbuild.ir.design import WORD_BYTES, Design, KernelRole
from stbuild.ir.plumbing import ReadWeights
from stbuild.platform import Memory, Platform


@dataclass(frozen=True, kw_only=True)
class MemoryBandwidth:
    """The bandwidth of one group of banks that are read as one, in bytes per cycle of the kernels' clock."""

    memory: Memory
    clock_mhz: int

    @property
    def interleaved(self) -> bool:
        """Whether all banks lie behind one tag."""
        return len(self.memory.tags) == 1

    @property
    def bytes_per_cycle(self) -> float:
        """What a bank delivers in a cycle, or all banks together where they are interleaved."""
        banks = self.memory.banks if self.interleaved else 1
        return banks * self.memory.bytes_per_cycle(self.clock_mhz)

    @property
    def port_bytes_per_cycle(self) -> float:
        """What one process can take: a word, or less if the memory's own port is slower."""
        if self.memory.port_mhz is None:
            return float(WORD_BYTES)
        return min(WORD_BYTES, self.memory.port_bits / 8 * self.memory.port_mhz / self.clock_mhz)

    @property
    def latency_cycles(self) -> int:
        """Cycles from a read's address to its first word; 0 where no figure was found."""
        return ceil((self.memory.read_latency_ns or 0) * self.clock_mhz / 1e3)

    def sentence(self) -> str:
        """The figures and where they come from."""
        return f"{self._bandwidth()}; {self._latency()}"

    def _latency(self) -> str:
        if self.memory.read_latency_ns is None:
            return "latency left out: no figure was found"
        source = self.memory.source_of("read_latency_ns")
        return f"{self.memory.read_latency_ns:g} ns to a first word ({source.text})"

    def _bandwidth(self) -> str:
        measured = self.memory.measured_gbs_per_bank is not None
        source = self.memory.source_of("measured_gbs_per_bank" if measured else "peak_gbs_per_bank")
        kind = "measured" if measured else "peak, nobody measured it"
        banks = f", {self.memory.banks} interleaved" if self.interleaved else ""
        return f"{self.memory.gbs_per_bank:g} GB/s a bank{banks} ({kind}: {source.text})"


def supply_of(design: Design, platform: Platform) -> MemoryBandwidth:
    """The memory that `design` lies in."""
    return MemoryBandwidth(memory=platform.memory, clock_mhz=design.sizes.clock_mhz)


def rates(design: Design, supply: MemoryBandwidth) -> dict[str, float]:
    """Bytes per cycle of each process of `control` that reads or writes memory."""
    streamed = tuple(design.region(p.op.region) for p in design.processes if isinstance(p.op, ReadWeights))
    (control,) = (k.name for k in design.kernels if k.role is KernelRole.CONTROL)
    found = {}
    for process in design.processes:
        if isinstance(process.op, ReadWeights):
            mine = design.region(process.op.region)
            peers = sum(r.bytes for r in streamed if supply.interleaved or r.first == mine.first)
            share = supply.bytes_per_cycle * mine.bytes / peers
            found[process.name] = min(share, supply.port_bytes_per_cycle)
        elif process.kernel == control:
            found[process.name] = min(supply.bytes_per_cycle, supply.port_bytes_per_cycle)
    return found
