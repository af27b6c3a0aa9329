"""The index of a checkpoint: what each tensor's shape and number format is, without its values."""

from dataclasses import dataclass, field

from stbuild.errors import StbuildError
from stbuild.ir.packed import MatrixForm
from stbuild.ir.param import Param
from stbuild.ir.serde import STORED_IF_SET

FLOAT_BITS = 32


@dataclass(frozen=True, kw_only=True)
class WeightFormat:
    """Shape of a tensor; `bits` 4 or 8 with weight groups of `group` columns, or 32 for floats.

    `zero_points` stand for the minima of 4 bits. `unpadded` is the shape in the model where that is smaller.
    """

    shape: tuple[int, ...]
    bits: int = FLOAT_BITS
    group: int = 0
    zero_points: bool = False
    unpadded: tuple[int, ...] = field(default=(), metadata=STORED_IF_SET)

    @property
    def form(self) -> MatrixForm:
        """The number format of a matrix."""
        return MatrixForm(bits=self.bits, group=self.group, zero_points=self.zero_points)


@dataclass(frozen=True, kw_only=True)
class WeightIndex:
    """All tensors of a checkpoint by their names in the model; `source` says where they come from."""

    formats: dict[str, WeightFormat]
    source: str
    synthetic: bool = False

    def format_of(self, param: Param) -> WeightFormat:
        """The common format of the tensors of `param`; raises StbuildError if one is missing or differs."""
        found = {name: self._format(name, param) for name in param.names}
        first = found[param.names[0]]
        for name, form in found.items():
            if form.form != first.form:
                raise StbuildError(
                    f"weight {name!r} has {form.form}, but {param.names[0]!r} has {first.form}",
                    where=self.source,
                    hint="layers that share an engine need one number format; quantise them alike",
                )
        return first

    def _format(self, name: str, param: Param) -> WeightFormat:
        form = self.formats.get(name)
        if form is None:
            raise StbuildError(
                f"weight {name!r} {list(param.shape)} is missing",
                where=self.source,
                hint="the model needs it; check that the weights belong to this model",
            )
        if form.shape != param.shape:
            raise StbuildError(
                f"weight {name!r} has shape {list(form.shape)}, but the model wants {list(param.shape)}",
                where=self.source,
                hint="check that the weights belong to this model",
            )
        return form
