"""BUILD.yaml: the targets of one package, each with the line that it stands on."""

import json
import re
from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct, field

from stbuild import layout
from stbuild.engine.graph.label import Label, default_name, parse_label
from stbuild.engine.graph.names import text_problem
from stbuild.errors import StbuildError, did_you_mean

_TEXT = "tag:yaml.org,2002:str"
_ESCAPED = re.compile(r"\\(?:0|x00|[uU])")
"""How YAML can write a character that no process can be given."""
_LIST = "tag:yaml.org,2002:seq"


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # libyaml may be missing
    """YAML without resolvers by path, of which PyYAML would keep track at every node."""

    def descend_resolver(self, *_: object) -> None:
        """Enter a node."""

    def ascend_resolver(self) -> None:
        """Leave a node."""


class TargetCall(Struct, frozen=True, kw_only=True):
    """One entry of `targets:`, a rule or macro with the attributes written for it."""

    rule: str
    label: Label
    attrs: dict[str, Any]
    where: str
    lines: dict[str, int] = field(default_factory=dict)
    file: str = ""

    def place(self, attribute: str) -> str:
        """The place of one attribute, for a message."""
        line = self.lines.get(attribute)
        return f"{self.file}:{line}" if line else self.where


def read_build_file(root: Path, package: str) -> list[TargetCall]:
    """The calls in the package's BUILD.yaml, in the order of the file."""
    path = root / package / layout.BUILD_FILE
    shown = str(path.relative_to(root))
    try:
        text = path.read_text()
    except (FileNotFoundError, NotADirectoryError):
        raise StbuildError(f"no package //{package}: {shown} does not exist") from None
    except UnicodeDecodeError as error:
        raise StbuildError(f"not UTF-8 text: {error.reason}", where=shown) from None
    try:
        return _calls(text, shown, package)
    except RecursionError:
        raise StbuildError("lists or maps are nested too deeply", where=shown) from None


def calls_of(entries: list[dict[str, dict[str, Any]]], origin: TargetCall) -> list[TargetCall]:
    """The calls that the macro at `origin` expands to; their place is the macro's own."""
    calls = []
    for entry in entries:
        if not (isinstance(entry, dict) and len(entry) == 1 and isinstance(next(iter(entry.values())), dict)):
            raise StbuildError(
                f"macro {origin.rule} gave {entry!r}, needs {{rule: {{name: …}}}}", where=origin.where
            )
        ((rule, attrs),) = entry.items()
        attrs = dict(attrs)
        name = attrs.pop("name", None)
        if not isinstance(name, str):
            raise StbuildError(f"macro {origin.rule} gave a {rule} the name {name!r}", where=origin.where)
        label = parse_label(f"//{origin.label.package}:{name}", package="", where=origin.where)
        kept = {k: v for k, v in attrs.items() if v is not None}
        lines = {name: origin.lines[name] for name in kept if name in origin.lines}
        calls.append(
            TargetCall(rule=rule, label=label, attrs=kept, where=origin.where, lines=lines, file=origin.file)
        )
    return calls


def refuse_unfit(value: Any, where: str) -> None:
    """Refuse a value with a text in it that no process can be given."""
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list):
        for each in value:
            refuse_unfit(each, where)
    elif isinstance(value, str) and (problem := text_problem(value)):
        raise StbuildError(f"a text here {problem}", where=where)


def _calls(text: str, shown: str, package: str) -> list[TargetCall]:
    try:
        loader = _Loader(text)
        top = loader.get_single_node()
    except yaml.YAMLError as error:
        raise _yaml_error(error, shown) from None
    if top is None:
        return []
    _need_mapping(top, shown, "BUILD.yaml is a map with the key `targets:`")
    calls: list[TargetCall] = []
    for number, (key, value) in enumerate(top.value):
        if number and key.value == "targets":
            raise StbuildError("`targets:` stands here twice", where=_at(key, shown))
        if key.value != "targets":
            hint = did_you_mean(str(key.value), ["targets"])
            raise StbuildError(f"unknown key {key.value!r}", where=_at(key, shown), hint=hint)
        if not isinstance(value, yaml.SequenceNode):
            raise StbuildError("`targets:` takes a list of `- rule: {name: …}`", where=_at(value, shown))
        nodes = value.value[::-1]
        value.value.clear()
        may_be_unfit = _ESCAPED.search(text) is not None
        while nodes:  # What YAML keeps of a target takes ten times the room of the call, so let go of it.
            calls.append(_call(loader, nodes.pop(), shown, package))
            loader.constructed_objects.clear()
            if may_be_unfit:
                refuse_unfit(calls[-1].attrs, calls[-1].where)
    _refuse_twins(calls)
    return calls


def _call(loader: yaml.SafeLoader, node: yaml.Node, shown: str, package: str) -> TargetCall:
    _need_mapping(node, shown, "a target is `- rule: {name: …}`")
    if len(node.value) != 1:
        names = ", ".join(str(key.value) for key, _ in node.value)
        hint = "indent the attributes below the rule"
        raise StbuildError(f"a target has one rule, this has {names}", where=_at(node, shown), hint=hint)
    rule, body = node.value[0]
    attrs, lines = _attributes(loader, body, shown)
    name = attrs.pop("name", None)
    if name is None:
        name = default_name(package)
    if not isinstance(name, str) or not name:
        hint = "quote it" if name not in (None, "") else ""
        message = f"{rule.value} needs a `name`, a text, got {json.dumps(name, default=str)}"
        raise StbuildError(message, where=_at(rule, shown), hint=hint)
    label = parse_label(f"//{package}:{name}", package=package, where=_at(rule, shown))
    return TargetCall(
        rule=str(rule.value), label=label, attrs=attrs, where=_at(rule, shown), lines=lines, file=shown
    )


def _attributes(
    loader: yaml.SafeLoader, body: yaml.Node, shown: str
) -> tuple[dict[str, Any], dict[str, int]]:
    if isinstance(body, yaml.ScalarNode) and body.value in ("", "~", "null"):
        return {}, {}
    _need_mapping(body, shown, "a rule's attributes are a map")
    attrs: dict[str, Any] = {}
    lines: dict[str, int] = {}
    for key, value in body.value:
        if not isinstance(key, yaml.ScalarNode):
            raise StbuildError("an attribute's name is a text", where=_at(key, shown))
        if key.value == "<<":
            hint = "a macro can share attributes"
            raise StbuildError("merge keys (`<<`) are not understood", where=_at(key, shown), hint=hint)
        if key.value in attrs:
            raise StbuildError(f"attribute {key.value!r} stands here twice", where=_at(key, shown))
        try:
            attrs[str(key.value)] = _value(loader, value)
        except yaml.YAMLError as error:
            raise _yaml_error(error, shown) from None
        lines[str(key.value)] = key.start_mark.line + 1
    return attrs, lines


def _value(loader: yaml.SafeLoader, node: yaml.Node) -> Any:
    """What a node stands for; a text or a list of texts, as most are, needs no constructor."""
    if _is_text(node):
        return node.value
    if isinstance(node, yaml.SequenceNode) and node.tag == _LIST and all(map(_is_text, node.value)):
        return [each.value for each in node.value]
    return loader.construct_object(node, deep=True)


def _is_text(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == _TEXT


def _refuse_twins(calls: list[TargetCall]) -> None:
    seen: dict[Label, TargetCall] = {}
    for call in calls:
        twin = seen.setdefault(call.label, call)
        if twin is not call:
            raise StbuildError(f"{call.label} is already defined at {twin.where}", where=call.where)


def _need_mapping(node: yaml.Node, shown: str, sentence: str) -> None:
    if not isinstance(node, yaml.MappingNode):
        raise StbuildError(sentence, where=_at(node, shown))


def _yaml_error(error: yaml.YAMLError, shown: str) -> StbuildError:
    mark = getattr(error, "problem_mark", None)
    place = f"{shown}:{mark.line + 1}" if mark else shown
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    return StbuildError(f"not YAML: {problem}", where=place)


def _at(node: yaml.Node, shown: str) -> str:
    return f"{shown}:{node.start_mark.line + 1}"
