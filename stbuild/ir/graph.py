"""The tensor graph: what one token goes through, as blocks of ops on per-token vectors.

Every op makes one value, a vector of `width` int32 elements with `frac` fraction bits, named like
the op. A block runs `count` times; the outputs of one run are the inputs of the next, and the
outputs of its last run are the inputs of the block behind it. docs/numerics.md fixes the arithmetic.
"""

from dataclasses import dataclass, field

from stbuild.ir.derived import Derived
from stbuild.ir.gaps import PaddedValue
from stbuild.ir.op import Op
from stbuild.ir.param import PositionTable
from stbuild.ir.serde import STORED_IF_SET


@dataclass(frozen=True, kw_only=True)
class Block:
    """Ops that run `count` times for each token, in an order in which each follows its inputs."""

    name: str
    count: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    ops: tuple[Op, ...]

    def op(self, name: str) -> Op:
        """The op that makes value `name`."""
        return next(op for op in self.ops if op.name == name)


@dataclass(frozen=True, kw_only=True)
class Graph:
    """A language model: blocks in order, the last of which makes the logits [vocab_size].

    `derived` are the tensors of parameters that no checkpoint holds; `padding` has the values with zeros
    between the elements that the model gives them.
    """

    name: str
    vocab_size: int
    context: int
    blocks: tuple[Block, ...]
    tables: tuple[PositionTable, ...] = ()
    derived: tuple[Derived, ...] = ()
    padding: tuple[PaddedValue, ...] = field(default=(), metadata=STORED_IF_SET)

    def padded_value(self, block: str, value: str) -> PaddedValue | None:
        """The zeros of a value, if it has any."""
        return next((p for p in self.padding if (p.block, p.value) == (block, value)), None)
