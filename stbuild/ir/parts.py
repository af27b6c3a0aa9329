"""What hardware a process is made of: the structures that synthesis makes of its C++.

`count` is how many of a structure work in the same cycle. What a part costs stands in stbuild/resources.
"""

from dataclasses import dataclass

from stbuild.ir.storage import Storage


@dataclass(frozen=True, kw_only=True)
class Multiply:
    """Products of a signed number of `a` bits and one of `b` bits, in DSPs or in LUTs."""

    a: int
    b: int
    count: int = 1
    fabric: bool = False


@dataclass(frozen=True, kw_only=True)
class Dot:
    """Dot products in LUTs of 8 columns, weights of `weight` bits and values of `value` bits, added up in
    `sum` bits; neighbouring values and their sums are given (rtl_lib/parts/dot_fabric.sv)."""

    weight: int
    value: int
    sum: int
    count: int = 1


@dataclass(frozen=True, kw_only=True)
class Add:
    """Sums or differences of two numbers, in a register."""

    bits: int
    count: int = 1


@dataclass(frozen=True, kw_only=True)
class Clamp:
    """Numbers of `bits` bits, saturated to 32."""

    bits: int
    count: int = 1


@dataclass(frozen=True, kw_only=True)
class Shift:
    """Numbers of `bits` bits, shifted by one of `distances` distances that the data choose."""

    bits: int
    distances: int
    count: int = 1


@dataclass(frozen=True, kw_only=True)
class Choose:
    """Words of `bits` bits, each chosen from `ways`."""

    ways: int
    bits: int
    count: int = 1


@dataclass(frozen=True, kw_only=True)
class Largest:
    """The largest of `inputs` numbers, as a tree."""

    inputs: int
    bits: int
    count: int = 1


@dataclass(frozen=True, kw_only=True)
class Divide:
    """Quotients of `bits` bits, one bit a cycle."""

    bits: int
    count: int = 1


@dataclass(frozen=True, kw_only=True)
class Table:
    """Constants: `words` of `bits` bits, of which `reads` are read in a cycle."""

    words: int
    bits: int
    reads: int = 1


@dataclass(frozen=True, kw_only=True)
class Store:
    """An array `name` of `words` words in `banks` memories of their own, each written and read in a cycle.

    `storage` is what its C++ binds it to; None where it does not say.
    """

    name: str
    words: int
    bits: int
    banks: int = 1
    storage: Storage | None = None


@dataclass(frozen=True, kw_only=True)
class Delay:
    """Numbers that come some cycles later, in shift registers."""

    bits: int


@dataclass(frozen=True, kw_only=True)
class Hold:
    """Registers."""

    bits: int


Part = Multiply | Dot | Add | Clamp | Shift | Choose | Largest | Divide | Table | Store | Delay | Hold
