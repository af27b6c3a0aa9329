"""Checks of sizes that several ops share."""

from stbuild.ir.op import Op
from stbuild.ir.types import LANES

PAD = "pad the model's sizes; the card moves 16 elements at a time"


def require(op: Op, holds: bool, message: str) -> None:
    """Raise StbuildError with `message` unless it holds."""
    if not holds:
        raise op.fault(message)


def require_width(op: Op, width: int, wanted: int) -> None:
    """Raise StbuildError unless `width` is the one that the op needs."""
    require(op, width == wanted, f"it has {width} elements, needs {wanted}")


def require_multiple(
    op: Op, width: int, unit: int = LANES, text: str = "its size {} is not a multiple of {}"
) -> None:
    """Raise StbuildError unless `width` is a multiple of `unit`."""
    if width % unit:
        raise op.fault(text.format(width, unit), hint=PAD)
