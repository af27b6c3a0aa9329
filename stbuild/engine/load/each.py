"""One action for each file of a tree, which is known only once the tree is made."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from msgspec import structs

from stbuild.engine.graph.action import Action, CxxScan, Policy, Template
from stbuild.engine.graph.artifact import File, Folder, Origin, Tree
from stbuild.engine.load.checks import Problem, action_problem, overlap
from stbuild.engine.load.render import Argument, Rendered, render


@dataclass(frozen=True, kw_only=True)
class Each:
    """What the actions of a template share; `argv` makes a command of a file of `over` and its output.

    The outputs beside that, one for each suffix in `beside`, end the command.
    """

    id: str
    label: str
    mnemonic: str
    where: str
    over: Tree
    argv: Callable[[File, File], Sequence[Argument]]
    out_suffix: str
    beside: tuple[str, ...]
    module: str | None
    inputs: tuple[File, ...]
    mentioned: Mapping[str, Sequence[File]]
    env: tuple[tuple[str, str], ...]
    tools: tuple[str, ...]
    folders: tuple[Folder | Tree, ...]
    policy: Policy

    def problem(self) -> Problem | None:
        """What no action of the template may ask for, found with a file that does not exist."""
        probed = self._probed()
        return action_problem(probed.command, dict(self.env), self.tools, "", ()) or overlap(probed.read)

    def template(self, pattern: str, out_tree: Tree) -> Template:
        """The node that stands for the actions of the files that match `pattern`."""
        return Template(
            id=self.id,
            label=self.label,
            mnemonic=self.mnemonic,
            over=self.over,
            pattern=pattern,
            out_tree=out_tree,
            expand=self.action,
            out_suffix=self.out_suffix,
            inputs=self._shared(),
            tools=self.tools,
            programs=self.policy.programs,
            where=self.where,
        )

    def action(self, item: File, out: File) -> Action:
        """The action of one file."""
        stem = out.path.removesuffix(self.out_suffix)
        more = tuple(structs.replace(out, path=f"{stem}{suffix}") for suffix in self.beside)
        begin = ("python", "-m", self.module) if self.module else ()
        argv = (*begin, *self.argv(item, out), *more)
        rendered = render(argv, {out.path, *(file.path for file in more)}, self.inputs, self.mentioned)
        return Action(
            id=f"{self.id}[{self._subject(item)}]",
            label=self.label,
            mnemonic=f"{self.mnemonic} {self._subject(item)}",
            argv=rendered.command,
            inputs=tuple(dict.fromkeys((item, *rendered.read))),
            outputs=(out, *more),
            env=self.env,
            module=self.module,
            tools=self.tools,
            cxx=CxxScan(sources=(item,) if self.folders else (), folders=self.folders),
            policy=self.policy,
            where=self.where,
        )

    def _subject(self, item: File) -> str:
        """The file's name in the tree, by which its action is known."""
        return item.path[len(self.over.path) + 1 :]

    def _shared(self) -> tuple[File, ...]:
        """What every action reads besides its own file."""
        probe = self._probe()
        trees = [each for each in self.folders if isinstance(each, Tree) and each != self.over]
        return tuple(dict.fromkeys((*(file for file in self._probed().read if file != probe), *trees)))

    def _probed(self) -> Rendered:
        """The command for a file that does not exist."""
        probe = self._probe()
        return render(self.argv(probe, probe), set(), self.inputs, self.mentioned)

    def _probe(self) -> File:
        return File(path=f"{self.over.path}/probe.cpp", origin=Origin.OUTPUT, prefix=self.over.prefix)
