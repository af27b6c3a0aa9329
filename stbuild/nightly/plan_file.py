"""Reads nightly.yaml; what is wrong in it is told with its line."""

import math
from dataclasses import fields
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar

import yaml

from stbuild import layout
from stbuild.engine.graph.names import path_problem
from stbuild.engine.keys.tracker import Tracker
from stbuild.engine.load.plugins import PluginIndex
from stbuild.engine.load.schema import Mismatch, attributes_of, convert
from stbuild.engine.load.workspace import Workspace
from stbuild.errors import StbuildError, did_you_mean
from stbuild.nightly.figures import KINDS
from stbuild.nightly.paired import LOOKS
from stbuild.nightly.plan import Entry, Limit, Measure, Plan
from stbuild.nightly.values import Cell
from stbuild.runtime.devices.opening import check_name

FILE = "nightly.yaml"
_KEYS = ("matrix", "measure", "limits", "results")
_NONE = ("again", "pairs")
"""Numbers of times that may be 0."""
Value = TypeVar("Value")
Pairs = dict[str, tuple[yaml.Node, yaml.Node]]
"""Key and value of a map, by the key."""


def read_plan(path: Path, workspace: Workspace) -> Plan:
    """The plan in the file at `path`, with projects, platforms and targets of the workspace."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        raise StbuildError(f"{path} does not exist", hint="`stbuild init --nightly` writes one") from None
    except UnicodeDecodeError as error:
        raise StbuildError(f"not UTF-8 text: {error.reason}", where=str(path)) from None
    try:
        top = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise StbuildError(f"not YAML: {problem}", where=place) from None
    except RecursionError:
        raise StbuildError("lists or maps are nested too deeply", where=str(path)) from None
    return _PlanReader(str(path), workspace).plan(top, text)


class _PlanReader:
    def __init__(self, shown: str, workspace: Workspace) -> None:
        self._shown = shown
        self._workspace = workspace
        index = PluginIndex(workspace.root, Tracker())
        self._known = {"platform": index.names("platforms"), "target": index.names("targets")}

    def plan(self, top: yaml.Node | None, text: str) -> Plan:
        if top is None:
            raise StbuildError("the file is empty; it needs `matrix:`", where=self._shown)
        pairs = self._map(top, _KEYS, "nightly.yaml")
        if "matrix" not in pairs:
            raise StbuildError("there is no `matrix:`", where=self._at(top))
        measure = Measure()
        if "measure" in pairs:
            node = pairs["measure"][1]
            measure = self._fields(Measure, node, "measure")
            self._check_measure(measure, node)
        return Plan(
            matrix=self._matrix(pairs["matrix"][1]),
            measure=measure,
            limits=self._limits(pairs["limits"][1]) if "limits" in pairs else {},
            results=self._results(pairs["results"][1]) if "results" in pairs else Plan.results,
            digest=blake2b(text.encode(), digest_size=16).hexdigest(),
        )

    def _matrix(self, node: yaml.Node) -> tuple[Cell, ...]:
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            hint = "for example `- {project: projects/x, platform: u55c}`"
            raise StbuildError("`matrix:` takes a list of maps", where=self._at(node), hint=hint)
        cells: dict[Cell, None] = {}
        for each in node.value:
            entry = self._entry(each)
            for cell in entry.cells():
                if cell in cells:
                    raise StbuildError(f"{cell} is in the matrix twice", where=self._at(each))
                cells[cell] = None
        return tuple(cells)

    def _entry(self, node: yaml.Node) -> Entry:
        entry = self._fields(Entry, node, "an entry of `matrix:`", lists=True)
        pairs = self._map(node, (), "")
        for project in entry.project:
            self._check_project(project, self._at(pairs["project"][1]))
        for name, chosen in (("platform", entry.platform), ("target", entry.target)):
            for each in chosen:
                if each not in self._known[name]:
                    hint = did_you_mean(each, self._known[name])
                    where = self._at(pairs.get(name, (node, node))[1])
                    raise StbuildError(f"there is no {name} {each!r}", where=where, hint=hint)
        for device in entry.device:
            try:
                check_name(device)
            except StbuildError as error:
                where = self._at(pairs.get("device", (node, node))[1])
                raise StbuildError(error.message, where=where, hint=error.hint) from None
        return entry

    def _check_project(self, project: str, where: str) -> None:
        if problem := path_problem(project):
            raise StbuildError(f"the project {project!r} {problem}", where=where)
        if (self._workspace.root / project / layout.BUILD_FILE).is_file():
            return
        found = self._workspace.root.glob(f"*/{layout.BUILD_FILE}")
        below = self._workspace.root.glob(f"projects/*/{layout.BUILD_FILE}")
        known = [path.parent.relative_to(self._workspace.root).as_posix() for path in (*found, *below)]
        message = f"there is no project {project!r}: {project}/{layout.BUILD_FILE} does not exist"
        raise StbuildError(message, where=where, hint=did_you_mean(project, known))

    def _limits(self, node: yaml.Node) -> dict[str, Limit]:
        limits = {}
        for name, (key, value) in self._map(node, None, "limits").items():
            if name.partition("@")[0] not in KINDS:
                hint = did_you_mean(name.partition("@")[0], KINDS)
                raise StbuildError(f"there is no figure {name!r}", where=self._at(key), hint=hint)
            limits[name] = self._fields(Limit, value, f"the limit of {name}")
            if limits[name] == Limit():
                hint = "for example `{max: 100}`"
                raise StbuildError(f"{name} has neither min nor max", where=self._at(key), hint=hint)
        return limits

    def _results(self, node: yaml.Node) -> str:
        value = self._plain(node)
        if not isinstance(value, str) or path_problem(value):
            message = "`results:` is a folder below the workspace"
            raise StbuildError(message, where=self._at(node), hint="for example nightly-results")
        return value

    def _check_measure(self, measure: Measure, node: yaml.Node) -> None:
        pairs = self._map(node, (), "")
        for name in pairs:
            value = getattr(measure, name)
            for each in value if isinstance(value, tuple) else (value,):
                least = 1 if name == "slow_factor" or (isinstance(each, int) and name not in _NONE) else 0
                if not (least <= each < math.inf):
                    message = f"{name} takes numbers of {least} or more, got {each:g}"
                    raise StbuildError(message, where=self._at(pairs[name][1]))
        if 0 < measure.pairs < LOOKS[0]:
            message = f"pairs takes 0 or {LOOKS[0]} and more, got {measure.pairs}: fewer tell nothing"
            raise StbuildError(message, where=self._at(pairs["pairs"][1]))
        if not measure.prompt_tokens:
            raise StbuildError(
                "prompt_tokens needs a length or more", where=self._at(pairs["prompt_tokens"][1])
            )

    def _fields(self, kind: type[Value], node: yaml.Node, what: str, *, lists: bool = False) -> Value:
        """A dataclass from a map; with `lists` a single value stands for a list of one."""
        known = attributes_of(kind)
        pairs = self._map(node, tuple(known), what)
        values: dict[str, Any] = {}
        for name, (_, value) in pairs.items():
            plain = self._plain(value)
            try:
                chosen = [plain] if lists and not isinstance(plain, list) else plain
                values[name] = convert(known[name].hint, chosen, _NOTHING)
            except Mismatch as problem:
                raise StbuildError(f"{name} {problem}", where=self._at(value)) from None
        for each in fields(kind):  # type: ignore[arg-type]  # a dataclass
            if known[each.name].required and not values.get(each.name):
                raise StbuildError(f"{what} needs `{each.name}:`", where=self._at(node))
            if lists and each.name in values and not values[each.name]:
                raise StbuildError(f"`{each.name}:` is empty", where=self._at(pairs[each.name][1]))
        return kind(**values)

    def _map(self, node: yaml.Node, known: tuple[str, ...] | None, what: str) -> Pairs:
        """The pairs of a map; keys beside `known` are refused, unless that is empty or None."""
        if not isinstance(node, yaml.MappingNode):
            raise StbuildError(f"{what} is a map", where=self._at(node))
        pairs: Pairs = {}
        for key, value in node.value:
            name = str(key.value)
            if name in pairs:
                raise StbuildError(f"{name!r} is given twice", where=self._at(key))
            if known and name not in known:
                message, hint = f"{what} has no key {name!r}", did_you_mean(name, known)
                raise StbuildError(message, where=self._at(key), hint=hint)
            pairs[name] = (key, value)
        return pairs

    def _plain(self, node: yaml.Node) -> Any:
        try:
            return yaml.SafeLoader("").construct_object(node, deep=True)
        except yaml.YAMLError as error:
            problem = str(error).splitlines()[0]
            raise StbuildError(f"not YAML: {problem}", where=self._at(node)) from None

    def _at(self, node: yaml.Node) -> str:
        return f"{self._shown}:{node.start_mark.line + 1}"


class _NoTargets:
    """nightly.yaml names no targets of BUILD.yaml: none of its fields asks for one."""

    def files(self, text: str) -> Any:
        raise TypeError(text)

    provider = label = files


_NOTHING = _NoTargets()
