"""Sizes of arrays, and which of them are registers."""

from collections.abc import Sequence
from math import prod
from typing import Any

from hls_lint.record import Access, Array, LoopKind, Process
from hls_lint.tree import kind_of
from hls_lint.values import Value

FEW = 4
"""Elements up to which Vitis HLS makes registers by itself (config_array_partition -complete_threshold)."""


def dimensions(array: Array) -> tuple[int, ...]:
    """The lengths of all dimensions, those of the structs around it first; none for what is no array."""
    variable, members = array
    lengths: list[int] = []
    type_ = variable.type.get_canonical()
    if kind_of(type_) == "LVALUEREFERENCE":
        type_ = type_.get_pointee().get_canonical()
    for member in (*members, None):
        while kind_of(type_) == "CONSTANTARRAY":
            lengths.append(type_.element_count)
            type_ = type_.element_type.get_canonical()
        if member is None:
            break
        type_ = _member(type_, member)
        if type_ is None:
            return ()
    return tuple(lengths)


def element_bits(array: Array) -> int:
    """The width of an element."""
    variable, members = array
    type_ = variable.type.get_canonical()
    if kind_of(type_) == "LVALUEREFERENCE":
        type_ = type_.get_pointee().get_canonical()
    for member in (*members, None):
        while kind_of(type_) == "CONSTANTARRAY":
            type_ = type_.element_type.get_canonical()
        if member is not None:
            type_ = _member(type_, member)
        if type_ is None:
            return 0
    return 8 * int(type_.get_size())


def _member(type_: Any, name: str) -> Any:
    found = [f for f in type_.get_fields() if f.spelling == name]
    return found[0].type.get_canonical() if found else None


def is_partitioned(process: Process, array: Array, dimension: int) -> bool:
    """Whether each element of a dimension (1, 2, ...) has a memory of its own."""
    marks = process.partitions.get(array, set())
    return 0 in marks or dimension in marks


def holds_memory(process: Process, array: Array) -> bool:
    """Whether an array keeps a dimension that no pragma so far has taken apart."""
    lengths = dimensions(array)
    if prod(lengths) <= FEW:
        return False
    return not all(is_partitioned(process, array, d + 1) for d in range(len(lengths)))


def is_registers(process: Process, array: Array, accesses: Sequence[Access]) -> bool:
    """Whether no memory remains: few elements, all dimensions partitioned, or indices that are constants."""
    lengths = dimensions(array)
    if lengths and prod(lengths) <= FEW:
        return True
    if lengths and all(is_partitioned(process, array, d + 1) for d in range(len(lengths))):
        return True
    return all(_fixed(access, index) for access in accesses for index in access.place.indices)


def _fixed(access: Access, index: Value) -> bool:
    copies = {loop.number for loop in access.loops if loop.kind is LoopKind.UNROLLED}
    return not index.at_run_time and index.loops <= copies
