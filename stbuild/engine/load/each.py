"""One action for each file of a tree, which is known only once the tree is made."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from stbuild.engine.graph.action import Action, CxxScan, Policy, Template
from stbuild.engine.graph.artifact import File, Folder, Origin, Tree
from stbuild.engine.graph.names import path_problem, shortened_path
from stbuild.engine.load.checks import Problem, action_problem, overlap
from stbuild.engine.load.render import Argument, Rendered, render
from stbuild.engine.load.steps import step_argv, step_problem
from stbuild.step import Step


@dataclass(frozen=True, kw_only=True)
class Each:
    """What the actions of a template share; `command` makes an argv or a step of a file of `over` and its
    output. Whatever else the command names in `out_tree` is an output of the action too."""

    id: str
    label: str
    mnemonic: str
    where: str
    over: Tree
    command: Callable[[File, File], Sequence[Argument] | Step[File]]
    record: Callable[[str, object], File]
    out_tree: Tree
    out_suffix: str
    inputs: tuple[File, ...]
    mentioned: Mapping[str, Sequence[File]]
    env: tuple[tuple[str, str], ...]
    tools: tuple[str, ...]
    folders: tuple[Folder | Tree, ...]
    policy: Policy

    def problem(self) -> Problem | None:
        """What no action of the template may ask for, found with a file that does not exist."""
        item, out = self._probe()
        command = self.command(item, out)
        if isinstance(command, Step) and (sentence := step_problem(command, _Below(self.out_tree))):
            return Problem(sentence, "")
        probed = self._rendered(command)
        for file in probed.written:
            if sentence := path_problem(file.path):
                return Problem(f"output {shortened_path(file.path)} {sentence}", "")
        return action_problem(probed.command, dict(self.env), self.tools, "", ()) or overlap(probed.read)

    def template(self, pattern: str) -> Template:
        """The node that stands for the actions of the files that match `pattern`."""
        return Template(
            id=self.id,
            label=self.label,
            mnemonic=self.mnemonic,
            over=self.over,
            pattern=pattern,
            out_tree=self.out_tree,
            expand=self.action,
            out_suffix=self.out_suffix,
            inputs=self._shared(),
            tools=self.tools,
            programs=self.policy.programs,
            where=self.where,
        )

    def action(self, item: File, out: File) -> Action:
        """The action of one file."""
        command = self.command(item, out)
        rendered = self._rendered(command)
        return Action(
            id=f"{self.id}[{self._subject(item)}]",
            label=self.label,
            mnemonic=f"{self.mnemonic} {self._subject(item)}",
            argv=rendered.command,
            inputs=tuple(dict.fromkeys((item, *rendered.read))),
            outputs=tuple(dict.fromkeys((out, *rendered.written))),
            env=self.env,
            module=type(command).__module__ if isinstance(command, Step) else None,
            tools=self.tools,
            cxx=CxxScan(sources=(item,) if self.folders else (), folders=self.folders),
            policy=self.policy,
            where=self.where,
        )

    def _rendered(self, command: Sequence[Argument] | Step[File]) -> Rendered:
        argv = step_argv(command, self.record) if isinstance(command, Step) else command
        return render(argv, _Below(self.out_tree), self.inputs, self.mentioned)

    def _subject(self, item: File) -> str:
        """The file's name in the tree, by which its action is known."""
        return item.path[len(self.over.path) + 1 :]

    def _shared(self) -> tuple[File, ...]:
        """What every action reads besides its own file."""
        item, out = self._probe()
        read = self._rendered(self.command(item, out)).read
        trees = [each for each in self.folders if isinstance(each, Tree) and each != self.over]
        return tuple(dict.fromkeys((*(file for file in read if file != item), *trees)))

    def _probe(self) -> tuple[File, File]:
        """A file of `over` that does not exist, and its output."""
        return (
            File(path=f"{self.over.path}/probe.cpp", origin=Origin.OUTPUT, prefix=self.over.prefix),
            File(
                path=f"{self.out_tree.path}/probe{self.out_suffix}",
                origin=Origin.OUTPUT,
                prefix=self.out_tree.prefix,
            ),
        )


@dataclass(frozen=True)
class _Below:
    """The paths below a tree."""

    tree: Tree

    def __contains__(self, path: object) -> bool:
        return isinstance(path, str) and path.startswith(f"{self.tree.path}/")
