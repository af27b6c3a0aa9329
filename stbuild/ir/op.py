"""What every op of the tensor graph has, and what the compiler asks of it; the ops are in stbuild/ops."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, Protocol, Self

from stbuild.errors import StbuildError
from stbuild.ir.param import FixedParam, Param, ParamRole, PositionTable
from stbuild.ir.streaming import Streaming
from stbuild.ir.types import ACTIVATION_FRAC, words_of

NOT_STORED = {"stored": False}
"""Metadata of a field that stays out of files."""
NOT_SHOWN = {"shown": False}
"""Metadata of a field that a printed graph leaves out."""


@dataclass(frozen=True, kw_only=True)
class CheckContext:
    """What is known where an op is checked: the widths of the values before it, and the tables."""

    widths: Mapping[str, int]
    tables: Mapping[str, PositionTable]


class Values(Protocol):
    """The values that an op may read: their number formats, and how to change these."""

    def frac(self, name: str) -> int:
        """The fraction bits of a value."""
        ...

    def rescaled(self, name: str, frac: int) -> str:
        """The value with `frac` fraction bits."""
        ...

    def quantised(self, name: str) -> str:
        """The value in 8 bits."""
        ...

    def param_frac(self, op: str, usual: int) -> int:
        """The fraction bits that the project chooses for the parameter of `op`, else the usual ones."""
        ...


@dataclass(frozen=True, kw_only=True)
class Op(ABC):
    """An op makes one value, called like it: `width` elements with `frac` fraction bits.

    `origin` is the module's path; `line`, the model's source line, is not part of the graph's file, so
    that an edit of the model's text that changes no op changes no graph.
    """

    operand_fields: ClassVar[tuple[str, ...]] = ("x",)
    """The fields that name the values which it reads, in order."""
    run_fields: ClassVar[tuple[str, ...]] = ()
    """The fields that hold a number for each run of the block; () stands for the same in all."""
    roles: ClassVar[Mapping[str, ParamRole]] = {}
    """What its parameters are to it, by field."""
    any_frac: ClassVar[bool] = False
    """Whether it can round its result to any fraction bits; else the result has those of the operands."""
    chosen_frac: ClassVar[bool] = False
    """Whether a project may choose its fraction bits though it cannot round: its operands then get them."""
    summands: ClassVar[tuple[str, ...]] = ()
    """Fields of the operands that must have the fraction bits of the result."""
    any_width: ClassVar[bool] = False
    """Whether it may make logits of any number, which leave the last word's other elements unused."""
    by_position: ClassVar[bool] = False
    """Whether its result depends on the position of the token."""

    name: str
    width: int
    frac: int = ACTIVATION_FRAC
    origin: str = ""
    line: str = field(default="", compare=False, metadata=NOT_STORED)

    @property
    def operands(self) -> tuple[str, ...]:
        """The values that it reads."""
        found = (getattr(self, name) for name in self.operand_fields)
        return tuple(name for each in found for name in ((each,) if isinstance(each, str) else each))

    def reading(self, names: Mapping[str, str]) -> Self:
        """Itself where the values that it reads have other names; one that is not there keeps its name."""
        changes: dict[str, Any] = {}
        for field_name in self.operand_fields:
            value = getattr(self, field_name)
            one = isinstance(value, str)
            changes[field_name] = names.get(value, value) if one else tuple(names.get(v, v) for v in value)
        return replace(self, **changes)

    @property
    def params(self) -> tuple[tuple[str, Param], ...]:
        """Its weights with the names of their fields."""
        found = ((each.name, getattr(self, each.name)) for each in fields(self))
        return tuple((name, value) for name, value in found if isinstance(value, Param))

    @property
    def stream_words(self) -> int:
        """Words of its value in a stream, for one token."""
        return words_of(self.width)

    @property
    def position_table(self) -> str | None:
        """The position table whose rows it reads from a stream."""
        return None

    @abstractmethod
    def check(self, context: CheckContext) -> None:
        """Raise StbuildError if it cannot be computed as docs/numerics.md says."""

    def fixed(self, frac: int, values: Values) -> Self:
        """Itself with `frac` fraction bits where it can have them, its operands made to fit."""
        return replace(self, frac=frac)

    def check_fixed(self, fracs: Mapping[str, int]) -> None:
        """Raise StbuildError if its integers are beyond their bits; `fracs` are those of values by name."""
        return

    def fault(self, message: str, hint: str | None = None) -> StbuildError:
        """An error that names the op and its place in the model."""
        return StbuildError(
            f"{type(self).__name__} {self.name!r}: {message}", where=self.origin or None, hint=hint
        )


@dataclass(frozen=True, kw_only=True)
class RowOp(Op):
    """Its value is a row of `table` [rows, width], which memory sends: no process computes it."""

    operand_fields: ClassVar[tuple[str, ...]] = ()
    roles: ClassVar[Mapping[str, ParamRole]] = {"table": ParamRole.ROWS}
    any_frac: ClassVar[bool] = True
    by_token: ClassVar[bool]
    """Whether the token's id chooses the row, else its position."""

    table: Param

    @property
    def first(self) -> int:
        """The row of position 0, or of token 0."""
        return 0


@dataclass(frozen=True, kw_only=True)
class StreamingOp(Op, Streaming):
    """An op that a process of a streaming kernel computes."""

    @property
    def fixed_params(self) -> tuple[FixedParam, ...]:
        """The parameters that it reads from its parameter stream, in order."""
        return ()

    @property
    def param_words(self) -> int:
        """Words that it reads from its parameter stream in each run."""
        return 0
