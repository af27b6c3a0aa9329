"""Analysis: from labels to the action graph, by calling rules; it reads BUILD files and runs nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from msgspec import Struct

from stbuild.engine.graph.artifact import File
from stbuild.engine.graph.graph import Graph, TargetNode, index_producers
from stbuild.engine.graph.label import Label, Pattern
from stbuild.engine.keys.tracker import Tracker
from stbuild.engine.load import schema
from stbuild.engine.load.buildfile import TargetCall
from stbuild.engine.load.configured import Chooser, Configuration, is_plain
from stbuild.engine.load.context import Context
from stbuild.engine.load.packages import ALIAS, Packages
from stbuild.engine.load.plugins import PluginIndex, told_of_plugin
from stbuild.engine.load.resolve import CallResolver, FileResolver
from stbuild.engine.load.rule import Entry, Macro, Rule, default_files
from stbuild.engine.load.workspace import Workspace
from stbuild.errors import StbuildError, did_you_mean

Overrides = Mapping[Label, Mapping[str, Any]]


class Analyzed(Struct, kw_only=True):
    """One target after its rule was called."""

    provider: Any
    node: TargetNode


@dataclass(kw_only=True)
class Analysis:
    """One workspace in one configuration; targets are analysed when a request needs them."""

    workspace: Workspace
    configuration: Configuration
    overrides: Overrides = field(default_factory=dict)
    tracker: Tracker = field(default_factory=Tracker)

    def __post_init__(self) -> None:
        self.index = PluginIndex(self.workspace.root, self.tracker)
        self.index.check()
        chosen, given = self.configuration, self.workspace
        self.index.find("platforms", chosen.platform, self._place(chosen.platform == given.platform))
        self.index.find("targets", chosen.target, self._place(chosen.target == given.target))
        self.packages = Packages(self.workspace.root, self.index, self.tracker, self._expand)
        self.files = FileResolver(self.workspace.root, self.packages, self.tracker)
        self._done: dict[Label, Analyzed] = {}
        self._nodes: dict[str, Any] = {}
        self._below: dict[Label, list[tuple[Label, str]]] = {}
        self._attrs: dict[Label, dict[str, Any]] = {}
        """What is written for a target of which only the dependencies were found so far."""
        self.tracker.saw(self.workspace.project_file)

    def graph(self, labels: list[Label]) -> Graph:
        """The graph of these targets and of everything that they depend on."""
        for label in labels:
            self.analyze(label)
        for label in self.overrides:
            if label not in self.packages.macro_calls:
                self.packages.call(label, "--set")
        targets = {str(label): each.node for label, each in self._done.items()}
        return Graph(
            configuration=self.configuration.folder,
            targets=targets,
            nodes=dict(self._nodes),
            producers=index_producers(self._nodes),
        )

    def match(self, patterns: list[Pattern]) -> list[Label]:
        """The labels that the patterns stand for, each once."""
        return list(dict.fromkeys(label for each in patterns for label in self.packages.match(each)))

    def provider(self, label: Label) -> Any:
        """The provider of an analysed target."""
        if label not in self._done:
            message = f"{label} is named here, but is no dependency of the target"
            raise StbuildError(message, hint="add it to `srcs` or `tools`")
        return self._done[label].provider

    def platform(self) -> Any:
        """The platform value of this configuration."""
        return self.index.platform(self.configuration.platform)

    def toolchain(self, target: str) -> Any:
        """The toolchain of a target, by default of this configuration's."""
        return self.index.toolchain(target or self.configuration.target)

    def _place(self, is_default: bool) -> str | None:
        """Where the platform or target is named, if not on the command line."""
        return str(self.workspace.project_file) if is_default else None

    def having(self, package: str, attribute: str) -> list[Label]:
        """The macro calls of a package that have an attribute, else the targets that have it."""
        calls = list(self.packages.calls(package).values())
        macros = [each for each in self.packages.macro_calls.values() if each.label.package == package]
        for group in (macros, [each for each in calls if each.rule != ALIAS]):
            found = [
                each.label
                for each in group
                if attribute in schema.attributes_of(self.index.rule(each.rule, each.where).attrs)
            ]
            if found:
                return found
        return []

    def analyze(self, top: Label) -> None:
        """Analyse `top` after its dependencies, without recursion, so that chains may be long."""
        stack: list[tuple[Label, list[tuple[Label, str]]]] = []
        entered: set[Label] = set()
        self._enter(top, None, stack, entered)
        while stack:
            label, pending = stack[-1]
            if pending:
                below, where = pending.pop()
                if below in entered:
                    path = [each for each, _ in stack]
                    ring = " -> ".join(map(str, [*path[path.index(below) :], below]))
                    raise StbuildError(f"dependency cycle: {ring}", where=where)
                self._enter(below, where, stack, entered)
            else:
                self._done[label] = self._call(label)
                entered.remove(label)
                stack.pop()

    def _enter(self, label: Label, where: str | None, stack: list[Any], entered: set[Label]) -> None:
        if label in self._done:
            return
        call = self.packages.call(label, where)
        stack.append((label, list(reversed(self._dependencies(call)))))
        entered.add(label)

    def _dependencies(self, call: TargetCall) -> list[tuple[Label, str]]:
        if call.label not in self._below:
            self._below[call.label] = self._find_dependencies(call)
        return self._below[call.label]

    def _find_dependencies(self, call: TargetCall) -> list[tuple[Label, str]]:
        if call.rule == ALIAS:
            return [(self.files.label(call, call.attrs["actual"]), call.where)]
        rule = self._rule(call)
        found: list[tuple[Label, str]] = []
        declared = schema.attributes_of(rule.attrs)
        self._attrs[call.label] = self._written(call, declared)
        for name, value in self._attrs[call.label].items():
            if not declared[name].refers:
                continue
            place = call.place(name)
            try:
                references = schema.references(declared[name].hint, value)
                labels = [self.files.dependency(call, text, must) for text, must in references]
            except (schema.Mismatch, StbuildError) as problem:
                raise _placed(call, name, problem) from None
            found += [(label, place) for label in labels if label is not None]
        return list(dict.fromkeys(found))

    def _call(self, label: Label) -> Analyzed:
        call = self.packages.call(label)
        if call.rule == ALIAS:
            return self._alias(call)
        rule = self._rule(call)
        attrs = self._attributes(call, rule)
        context: Context[Any] = Context(attrs, label, call.where, CallResolver(self, call))
        with self.index.noting_imports(), told_of_plugin(f"rule {call.rule}", rule.function, call.where):
            provider = rule.function(context)
        if not isinstance(provider, rule.provider):
            message = f"rule {rule.name} gave a {type(provider).__name__}, declares {rule.provider.__name__}"
            raise StbuildError(message, where=rule.function.__code__.co_filename)
        self._nodes.update((node.id, node) for node in context.nodes)
        if not all(isinstance(file, File) for file in default_files(provider)):
            message = f"rule {rule.name} gave {rule.provider.__name__} with files that are none"
            raise StbuildError(message, where=rule.function.__code__.co_filename)
        return Analyzed(provider=provider, node=self._target(call, context, provider))

    def _alias(self, call: TargetCall) -> Analyzed:
        actual = self._done[self.files.label(call, call.attrs["actual"])]
        node = actual.node
        twin = TargetNode(
            label=str(call.label),
            rule=ALIAS,
            where=call.where,
            files=node.files,
            nodes=node.nodes,
            deps=(node.label,),
            tests=node.tests,
            summary=node.summary,
            run_argv=node.run_argv,
        )
        return Analyzed(provider=actual.provider, node=twin)

    def _target(self, call: TargetCall, context: Context[Any], provider: Any) -> TargetNode:
        return TargetNode(
            label=str(call.label),
            rule=call.rule,
            where=call.where,
            files=tuple(dict.fromkeys(default_files(provider))),
            nodes=tuple(node.id for node in context.nodes),
            deps=tuple(dict.fromkeys(str(label) for label, _ in self._dependencies(call))),
            attrs=tuple(sorted(call.attrs.items())),
            tests=tuple(context.tests),
            summary=context.summary_files,
            run_argv=context.run_argv,
        )

    def _rule(self, call: TargetCall) -> Rule[Any, Any]:
        rule = self.index.rule(call.rule, call.where)
        if isinstance(rule, Rule):
            return rule
        raise StbuildError(f"macro {call.rule} expands to itself or to another macro", where=call.where)

    def _attributes(self, call: TargetCall, rule: Rule[Any, Any] | Macro[Any]) -> Any:
        declared = schema.attributes_of(rule.attrs)
        resolver = CallResolver(self, call)
        values = {}
        written = self._attrs.pop(call.label, None)
        for name, value in (self._written(call, declared) if written is None else written).items():
            try:
                values[name] = schema.convert(declared[name].hint, value, resolver)
            except (schema.Mismatch, StbuildError) as problem:
                raise _placed(call, name, problem) from None
        for name, attribute in declared.items():
            if attribute.required and name not in values:
                message = f"{call.rule} {call.label.name!r} needs the attribute {name!r}"
                raise StbuildError(f"{message}, {schema.shown(attribute.hint)}", where=call.where)
        return rule.attrs(**values)

    def _written(self, call: TargetCall, declared: Mapping[str, schema.Attribute]) -> dict[str, Any]:
        attrs = {**call.attrs, **self.overrides.get(call.label, {})}
        found = {}
        for name, value in attrs.items():
            if name not in declared:
                message = f"{call.rule} {call.label.name!r} has no attribute {name!r}"
                raise StbuildError(message, where=call.place(name), hint=did_you_mean(name, declared))
            found[name] = self._chosen(call, name, value)
        return found

    def _chosen(self, call: TargetCall, name: str, value: Any) -> Any:
        if is_plain(value):
            return value

        def glob(include: list[str], exclude: list[str]) -> list[str]:
            return self.packages.glob(call.label.package, include, exclude)

        chooser = Chooser(
            configuration=self.configuration,
            platforms=self.index.names("platforms"),
            targets=self.index.names("targets"),
            glob=glob,
            where=call.place(name),
        )
        return chooser.choose(value)

    def _expand(self, call: TargetCall, macro: Macro[Any]) -> list[Entry]:
        attrs = self._attributes(call, macro)
        with self.index.noting_imports(), told_of_plugin(f"macro {call.rule}", macro.function, call.where):
            return list(macro.function(call.label.name, attrs))


def _placed(call: TargetCall, name: str, problem: Exception) -> StbuildError:
    """The error for `problem`, which points to the line of the attribute `name`."""
    if not isinstance(problem, StbuildError):
        message = f"{call.rule} {call.label.name!r}: attribute {name!r} {problem}"
        return StbuildError(message, where=call.place(name))
    if problem.where == call.where:
        problem.where = call.place(name)
    return problem
