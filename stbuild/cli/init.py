"""`stbuild init`: a workspace with a project that builds."""

import argparse
from pathlib import Path

from stbuild.errors import StbuildError

_WORKSPACE = """[tool.stbuild]
platform = "u55c"
target = "sw_emu"
"""
_BUILD = """targets:
  - genrule:
      name: greeting
      srcs: [name.txt]
      outs: [greeting.txt]
      cmd: 'echo "Hello, $$(cat $<)!" > $@'

  - sh_test:
      name: greeting_test
      srcs: [":greeting"]
      cmd: grep Hello $<

  - filegroup:
      name: hello
      srcs: [":greeting"]
"""
_IGNORE = "stbuild-out/\n"


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument("folder", nargs="?", default=".", help="the workspace to make (default: here)")
    parser.add_argument("--verbose", "-v", action="store_true", help="tell more")


def execute(options: argparse.Namespace) -> int:
    """Write what is not there; refuse to change what is."""
    root = Path(options.folder)
    project = root / "pyproject.toml"
    text = project.read_text() if project.exists() else ""
    if "[tool.stbuild]" in text:
        raise StbuildError(f"{root.absolute()} is a workspace already")
    package = root / "hello"
    if package.exists():
        raise StbuildError(f"{package} is there already", hint="init makes a package of this name")
    package.mkdir(parents=True)
    project.write_text(f"{text}\n{_WORKSPACE}" if text else _WORKSPACE)
    (package / "BUILD.yaml").write_text(_BUILD)
    (package / "name.txt").write_text("world\n")
    ignore = root / ".gitignore"
    if not ignore.exists():
        ignore.write_text(_IGNORE)
    print(f"made {project}, {package}/BUILD.yaml; now: stbuild hello, stbuild test //...")
    return 0
