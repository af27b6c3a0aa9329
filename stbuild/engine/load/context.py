"""What a rule is given: its attributes, its label, and the means to declare outputs and actions."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, Literal, NoReturn, TypeVar

from stbuild.engine.graph.action import Action, CxxScan, Node, Policy, Resources
from stbuild.engine.graph.artifact import File, Folder, Origin, Tree
from stbuild.engine.graph.canonical import canonical_json, files_within
from stbuild.engine.graph.label import Label
from stbuild.engine.graph.names import path_problem, shortened_path
from stbuild.engine.load.checks import Problem, action_problem, overlap
from stbuild.engine.load.declared import Declared
from stbuild.engine.load.each import Each
from stbuild.engine.load.normal import items_of, policy_of
from stbuild.engine.load.render import Argument, render
from stbuild.engine.load.scope import Scope
from stbuild.engine.load.shell import SHELLS, Unknown, among, expand, is_idle
from stbuild.engine.load.steps import step_argv, step_problem
from stbuild.errors import StbuildError
from stbuild.step import Step

A = TypeVar("A")


class Context(Generic[A]):
    """One call of a rule. Methods declare; nothing runs until the build does."""

    def __init__(self, attrs: A, label: Label, where: str, scope: Scope) -> None:
        self.attrs = attrs
        self.label = label
        self.where = where
        self.nodes: list[Node] = []
        self.tests: list[str] = []
        self.summary_files: tuple[File, ...] = ()
        self.run_argv: tuple[str | File, ...] = ()
        self._scope = scope
        self._outputs = Declared()
        self._mentioned: dict[str, list[File]] = {}

    @property
    def platform(self) -> Any:
        """The chosen platform, a frozen value; reading it is what loads the platform's file."""
        return self._scope.platform()

    @property
    def cpu(self) -> str:
        """What host code is made for: `native`, or a processor that every host which runs it must have."""
        return self._scope.cpu

    @property
    def vitis(self) -> Mapping[str, Any]:
        """What the workspace sets in `[tool.stbuild.vitis]`."""
        return self._scope.vitis

    @property
    def device(self) -> str:
        """What the workspace sets as `device` in `[tool.stbuild]`; '' without."""
        return self._scope.device

    def toolchain(self, target: str = "") -> Any:
        """The toolchain of `target`, or of the chosen target, a frozen value."""
        return self._scope.toolchain(target)

    def look(self, path: str) -> bool:
        """Whether there is something at an absolute path of this machine."""
        return self._scope.look(path)

    @property
    def out_folder(self) -> str:
        """Where this target's outputs lie, relative to the configuration's folder."""
        return f"{self.label.package}/{self.label.name}".lstrip("/")

    def fail(self, message: str, *, attribute: str = "", hint: str | None = None) -> NoReturn:
        """Refuse the call with a sentence that points to its line (or to `attribute`'s) in BUILD.yaml."""
        place = self._scope.place(self.label, attribute) or self.where
        raise StbuildError(f"{self.label}: {message}", where=place, hint=hint)

    def output(self, name: str) -> File:
        """Declare a file that this target makes, `name` relative to the target's folder."""
        file = File(path=f"{self.out_folder}/{name}", origin=Origin.OUTPUT, prefix=self.out_folder)
        return self._declare(file)

    def output_tree(self, name: str) -> Tree:
        """Declare a directory that this target makes; what is in it only the action knows."""
        tree = Tree(path=f"{self.out_folder}/{name}", origin=Origin.OUTPUT, prefix=self.out_folder)
        self._declare(tree)
        return tree

    def package_output(self, name: str) -> File:
        """Declare a file in the package's own folder, as a genrule does."""
        package = self.label.package
        path = f"{package}/{name}" if package else name
        return self._declare(File(path=path, origin=Origin.OUTPUT, prefix=package))

    def params(self, name: str, value: object) -> File:
        """An input that holds `value` as canonical JSON; files in it become inputs with it."""
        path = f"{self.out_folder}/{self._path(name, 'parameter file')}"
        self._mentioned[path] = files_within(value)
        return File(path=path, origin=Origin.TEXT, content=canonical_json(value) + "\n")

    def source(self, path: str) -> File:
        """A source file of this package, which must exist."""
        return self._scope.source(self.label.package, path, self.where)

    def folder(self, path: str) -> Folder:
        """A source folder of this package to search for headers; `.` is the package's own."""
        inside = path if path == "." else self._path(path, "folder")
        return self._scope.source_folder(self.label.package, inside)

    def builtin(self, path: str) -> Folder:
        """A folder that comes with stbuild, such as `hls_lib/include`."""
        return self._scope.builtin(self._path(path, "built-in folder"))

    def builtin_file(self, path: str) -> File:
        """A file that comes with stbuild, such as `hls_lib/sim/main.cpp`."""
        return self._scope.builtin_file(self._path(path, "built-in file"))

    def external(self, path: str) -> File:
        """A file or directory anywhere on the machine (weights); a relative path starts at the workspace."""
        return self._scope.external(path, self.where)

    def summary(self, *files: File) -> None:
        """JSON files with a build's last lines; this target's actions need those that make them."""
        self.summary_files = files

    def runnable(self, argv: Sequence[str | File]) -> None:
        """What `stbuild run` of this target executes after it is built."""
        self.run_argv = tuple(argv)

    def step(
        self,
        step: Step[File],
        *,
        inputs: Sequence[File] = (),
        env: Mapping[str, str] | None = None,
        tools: Sequence[str] = (),
        policy: Policy | None = None,
        resources: Resources | None = None,
    ) -> None:
        """Run a step: its fields say what the action reads and makes; the class is its mnemonic.

        `inputs` are files that it reads beside them. The key holds the import closure of the step's module,
        found by reading it.
        """
        if problem := step_problem(step, self._outputs.unclaimed()):
            self.fail(problem)
        kind, policy = type(step), policy_of(policy, resources)
        argv = step_argv(step, self._record)
        self._add(kind.__name__, argv, inputs, (), env, kind.__module__, tools, CxxScan(), policy)

    def run(
        self,
        mnemonic: str,
        argv: Sequence[Argument],
        *,
        subject: str = "",
        inputs: Sequence[File] = (),
        outputs: Sequence[File] = (),
        env: Mapping[str, str] | None = None,
        tools: Sequence[str] = (),
        cxx_sources: Sequence[File] = (),
        include_dirs: Sequence[Folder | Tree] = (),
        policy: Policy | None = None,
        resources: Resources | None = None,
    ) -> None:
        """Run a command. Files in `argv` are inputs, or outputs when this target declared them before.

        `tools` are programs on PATH whose version is keyed; `cxx_sources` are searched for the headers that
        they reach in `include_dirs`, and only those are inputs. `subject` tells twins apart.
        """
        scan = CxxScan(sources=tuple(cxx_sources), folders=tuple(include_dirs))
        name = f"{mnemonic} {subject}".rstrip()
        self._add(name, argv, inputs, outputs, env, None, tools, scan, policy_of(policy, resources))

    def run_each(
        self,
        mnemonic: str,
        *,
        over: Tree,
        pattern: str,
        command: Callable[[File, File], Sequence[Argument] | Step[File]],
        out_tree: Tree,
        out_suffix: str,
        inputs: Sequence[File] = (),
        env: Mapping[str, str] | None = None,
        tools: Sequence[str] = (),
        include_dirs: Sequence[Folder | Tree] = (),
        policy: Policy | None = None,
        resources: Resources | None = None,
    ) -> None:
        """Run one action for each file of `over` that matches `pattern`; results lie in `out_tree`.

        `a/b.cpp` becomes `a/b<out_suffix>`; `command` gets both and gives an argv or a step. It may name
        more outputs beside the second, by its `with_suffix`. Each file is searched for headers in
        `include_dirs`.
        """
        self._path(f"x{out_suffix}", "suffix of outputs")
        each = Each(
            id=self._id(mnemonic), label=str(self.label), mnemonic=mnemonic, where=self.where, over=over,
            command=command, record=self._record, out_tree=out_tree, out_suffix=out_suffix,
            inputs=tuple(inputs), mentioned=self._mentioned, env=items_of(env), tools=tuple(tools),
            folders=tuple(include_dirs), policy=policy_of(policy, resources),
        )  # fmt: skip
        self._check(each.problem())
        self._claim((out_tree,))
        self.nodes.append(each.template(pattern))

    def shell(
        self,
        text: str,
        *,
        attribute: str,
        srcs: Sequence[File] = (),
        outs: Sequence[File] = (),
        tools: Sequence[File] = (),
        shell: Literal["bash", "sh"] = "bash",
    ) -> tuple[str, ...]:
        """The argv that runs a user's shell command, which ends at the first command in it that fails.

        `$(SRCS)`, `$@`, `$(location x)` … in `text` become paths, of files among `srcs`, `outs` and `tools`.
        """
        if is_idle(text):
            self.fail(f"`{attribute}` has no command", attribute=attribute)
        try:
            return (*SHELLS[shell], expand(text, srcs, outs, among(srcs, outs, tools, self._scope.files)))
        except Unknown as problem:
            self.fail(str(problem), attribute=attribute, hint=problem.hint)

    def test(self) -> None:
        """Mark the action that was declared last as a test: `stbuild test` runs it, `build` does not."""
        self.tests.append(self.nodes[-1].id)

    def _add(
        self,
        mnemonic: str,
        argv: Sequence[Argument],
        inputs: Sequence[File],
        outputs: Sequence[File],
        env: Mapping[str, str] | None,
        module: str | None,
        tools: Sequence[str],
        scan: CxxScan,
        policy: Policy,
    ) -> None:
        rendered = render(argv, self._outputs.unclaimed(outputs), inputs, self._mentioned)
        made = tuple(dict.fromkeys((*outputs, *rendered.written)))
        paths = {file.path for file in made}
        self._claim(made)
        problem = action_problem(rendered.command, env, tools, policy.report, made)
        self._check(problem or overlap(rendered.read))
        self.nodes.append(
            Action(
                id=self._id(mnemonic),
                label=str(self.label),
                mnemonic=mnemonic,
                argv=rendered.command,
                inputs=tuple(file for file in rendered.read if file.path not in paths),
                outputs=made,
                env=items_of(env),
                module=module,
                tools=tuple(tools),
                cxx=scan,
                policy=policy,
                where=self.where,
            )
        )

    def _record(self, name: str, value: object) -> File:
        """The JSON file of a step's field that holds a dataclass."""
        return self.params(f"{name}.json", value)

    def _check(self, problem: Problem | None) -> None:
        if problem:
            self.fail(problem.message, attribute=problem.attribute)

    def _id(self, mnemonic: str) -> str:
        twins = sum(1 for node in self.nodes if node.mnemonic == mnemonic)
        kind, _, subject = mnemonic.partition(" ")
        name = f"{kind}[{subject}]" if subject else kind
        return f"{self.label}#{name}{f'.{twins + 1}' if twins else ''}"

    def _declare(self, file: File) -> File:
        self._path(file.path[len(file.prefix) + 1 :] if file.prefix else file.path, "output")
        self._outputs.add(file)
        return file

    def _path(self, path: str, what: str) -> str:
        if problem := path_problem(path):
            self.fail(
                f"{what} {shortened_path(path)} {problem}", attribute="outs" if what == "output" else ""
            )
        return path

    def _claim(self, outputs: Sequence[File]) -> None:
        if problem := self._outputs.claim(outputs):
            self.fail(problem)
