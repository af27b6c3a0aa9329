"""An action: a command with declared inputs and outputs, as a value that nothing runs yet."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from msgspec import Struct

from stbuild.engine.graph.artifact import File, Folder, Tree
from stbuild.errors import StbuildError

Text = tuple[tuple[str, str], ...]


def _at_least(least: int, **values: float) -> None:
    for name, value in values.items():
        if not least <= value < math.inf:
            raise StbuildError(f"{name} takes {least} or more, got {value:g}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Resources:
    """What an action occupies while it runs; `named` holds licences and boards by name.

    `semantic` are resources that change the result, such as a tool's thread count: only they are keyed.
    """

    cpu: float = 1
    memory_mb: int = 0
    named: tuple[tuple[str, int], ...] = ()
    semantic: Text = ()

    def __post_init__(self) -> None:
        _at_least(0, cpu=self.cpu, memory_mb=self.memory_mb)
        for name, count in self.named:
            if count < 1:
                raise StbuildError(f"resource {name!r} takes a count of at least 1, got {count}")


@dataclass(frozen=True, kw_only=True, slots=True)
class CxxScan:
    """C++ sources whose `#include`s say which headers are inputs, and the folders to search them in."""

    sources: tuple[File, ...] = ()
    folders: tuple[Folder | Tree, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """How an action is run; none of it changes the result, so none of it is keyed."""

    resources: Resources = Resources()
    timeout_s: float | None = None
    retries: int = 0
    network: bool = False
    cacheable: bool = True
    pass_env: tuple[str, ...] = ()
    report: str = ""
    """The output, as the action makes it, that is kept beside the log of an action that failed."""
    programs: Text = ()
    """Where declared tools lie that are not on PATH, by their names."""
    reads: tuple[str, ...] = ()
    """Folders of the machine, beside the tools' own, that the tools read, such as other parts of Vitis."""
    writes: tuple[str, ...] = ()
    """Folders of the machine that the action may change, as `/tmp` for the sockets of a card's runtime."""
    given: Text = ()
    """Variables that the action sees and that do not change its result."""
    explain: str = ""
    """The module whose `explain_failure(log_text)` gives the line that matters and a hint."""

    def __post_init__(self) -> None:
        _at_least(0, retries=self.retries)
        if self.timeout_s is not None and not 0 < self.timeout_s < math.inf:
            raise StbuildError(f"timeout_s takes more than 0 seconds, got {self.timeout_s:g}")


class Action(Struct, frozen=True, kw_only=True):
    """One command: argv with paths `in/…` and `out/…` relative to the action's own folder.

    `id` is unique in one configuration and stable over builds. `module` names a Python module whose import
    closure belongs to the key; `tools` names programs whose identity does.
    """

    id: str
    label: str
    mnemonic: str
    argv: tuple[str, ...]
    inputs: tuple[File, ...]
    outputs: tuple[File, ...]
    env: Text = ()
    module: str | None = None
    tools: tuple[str, ...] = ()
    cxx: CxxScan = CxxScan()
    policy: Policy = Policy()
    where: str = ""

    @property
    def producer_inputs(self) -> tuple[File, ...]:
        """Every file that must exist before the key can be computed."""
        trees = tuple(folder for folder in self.cxx.folders if isinstance(folder, Tree))
        return (*self.inputs, *self.cxx.sources, *trees)


class Template(Struct, frozen=True, kw_only=True):
    """An action for each file of a tree, known only when the tree is made; their outputs form `out_tree`."""

    id: str
    label: str
    mnemonic: str
    over: Tree
    pattern: str
    out_tree: Tree
    expand: Callable[[File, File], Action]
    """From one file of the tree and its output to the action."""
    out_suffix: str
    inputs: tuple[File, ...] = ()
    """What every action of the template reads besides its own file."""
    tools: tuple[str, ...] = ()
    programs: Text = ()
    """Where tools lie that are not on PATH."""
    where: str = ""

    @property
    def producer_inputs(self) -> tuple[File, ...]:
        """Every file that must exist before the template can be expanded."""
        return (self.over, *self.inputs)

    @property
    def outputs(self) -> tuple[File, ...]:
        """The tree of results."""
        return (self.out_tree,)


Node = Action | Template
