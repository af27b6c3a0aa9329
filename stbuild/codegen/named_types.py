"""C++ types that carry numbers by run or by head into a process; each gets a name in front of the kernel."""

from collections.abc import Iterable
from dataclasses import dataclass

from stbuild.codegen.writer import wrapped
from stbuild.ir.fixed import score_cap, score_slope
from stbuild.ir.graph import Attention, Rotary
from stbuild.ir.types import LANES

NAMED_PARTS = ("form", "windows", "tables")
"""What such types tell of a process."""


def type_name(process: str, part: str) -> str:
    """The name of the type that carries `part` of a process."""
    return f"{process}_{part}"


@dataclass(frozen=True, kw_only=True)
class NamedType:
    """A type for the template parameter `parameter`: its name and what it stands for."""

    parameter: str
    name: str
    definition: str

    @property
    def declaration(self) -> str:
        """The C++ that gives the type its name."""
        return wrapped(f"using {self.name} = {self.definition};", "    ")


def attention_types(op: Attention, process: str) -> tuple[NamedType, ...]:
    """What happens to the scores of `op`, and the window of each run; nothing for plain attention."""
    form = NamedType(parameter="FORM", name=type_name(process, "form"), definition=_form(op))
    if op.windows:
        return (form, windows_type(op.windows, process))
    return (form,) if op.cap or op.slopes else ()


def windows_type(windows: tuple[int, ...], owner: str) -> NamedType:
    """The window of each run."""
    return NamedType(parameter="WINDOWS", name=type_name(owner, "windows"), definition=_numbers(windows))


def rotary_types(op: Rotary, process: str, row_words: int) -> tuple[NamedType, ...]:
    """The tables that lie side by side in rows of `row_words` words, and the one of each run."""
    if not op.rows:
        return ()
    tables = row_words * LANES // (2 * op.rotary_dim)
    definition = f"stb::Tables<{tables}, {_numbers(op.rows)}>"
    return (NamedType(parameter="TABLES", name=type_name(process, "tables"), definition=definition),)


def _form(op: Attention) -> str:
    if not op.cap and not op.slopes:
        return "stb::PlainScore"
    slopes = _numbers(map(score_slope, op.slopes)) if op.slopes else "stb::Always<0>"
    cap, per_cap = score_cap(op.cap)
    return f"stb::ScoreForm<{cap}, {per_cap}, {slopes}>"


def _numbers(values: Iterable[int]) -> str:
    return f"stb::Numbers<{', '.join(map(str, values))}>"
