"""All that a rule, platform or project file may import from stbuild."""

from stbuild.engine.graph.action import Policy, Resources
from stbuild.engine.graph.artifact import File, Folder, Tree
from stbuild.engine.graph.label import Label
from stbuild.engine.load.context import Context
from stbuild.engine.load.plugins import builtin_platform
from stbuild.engine.load.rule import Entry, Macro, Rule, macro, rule
from stbuild.engine.load.shell import SHELLS
from stbuild.engine.load.standard import FilesInfo, TestInfo
from stbuild.errors import StbuildError
from stbuild.target import Toolchain

__all__ = [
    "SHELLS",
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
    "Toolchain",
    "Tree",
    "builtin_platform",
    "macro",
    "rule",
]
