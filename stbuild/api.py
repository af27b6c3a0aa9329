"""All that a rule, platform or project file may import from stbuild."""

from stbuild.engine.action import Policy, Resources
from stbuild.engine.artifact import File, Folder, Tree
from stbuild.engine.context import Context
from stbuild.engine.label import Label
from stbuild.engine.plugins import builtin_platform
from stbuild.engine.rule import Entry, Macro, Rule, macro, rule
from stbuild.engine.standard import FilesInfo, TestInfo
from stbuild.errors import StbuildError

__all__ = [
    "Context",
    "Entry",
    "File",
    "FilesInfo",
    "Folder",
    "Label",
    "Macro",
    "Policy",
    "Resources",
    "Rule",
    "StbuildError",
    "TestInfo",
    "Tree",
    "builtin_platform",
    "macro",
    "rule",
]
