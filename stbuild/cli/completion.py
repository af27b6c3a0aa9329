"""`stbuild completion`: what a shell needs to complete commands, options and labels."""

import argparse
from pathlib import Path

from stbuild import layout
from stbuild.engine.graph.label import default_name
from stbuild.engine.load.packages import SKIPPED
from stbuild.engine.load.workspace import find_workspace
from stbuild.errors import StbuildError

_BASH = """_stbuild() {
    COMPREPLY=($(compgen -W "$(stbuild completion words 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -o nospace -F _stbuild stbuild stbuildw ./stbuildw
COMP_WORDBREAKS=${COMP_WORDBREAKS//:}
"""
_ZSH = """#compdef stbuild stbuildw
_stbuild() { compadd -- ${(f)"$(stbuild completion words 2>/dev/null)"} }
compdef _stbuild stbuild stbuildw
"""
_FISH = """complete -c stbuild -f -a '(stbuild completion words 2>/dev/null)'
"""
_OPTIONS = (
    "--platform",
    "--target",
    "--cpu",
    "--key",
    "--jobs",
    "--keep-going",
    "--keep-dirs",
    "--verbose",
    "--sandbox",
    "--watch",
    "--weights",
)


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument(
        "shell",
        choices=("bash", "zsh", "fish", "words"),
        help="for bash: `source <(stbuild completion bash)`; words: what can be completed here",
    )
    parser.add_argument("--verbose", "-v", action="store_true", help="tell more")


def execute(options: argparse.Namespace) -> int:
    """Print a script for a shell, or the words that it offers."""
    scripts = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
    print(scripts.get(options.shell) or "\n".join(words()), end="")
    return 0


def words() -> list[str]:
    """Commands, options and the labels of the current workspace, read without analysis."""
    from stbuild.cli.parser import COMMANDS

    try:
        root = find_workspace(Path.cwd()).root
    except StbuildError:
        return [*COMMANDS, *_OPTIONS]
    return [*COMMANDS, *_OPTIONS, *_labels(root)]


def _labels(root: Path) -> list[str]:
    import yaml

    found = []
    for file in sorted(root.rglob(layout.BUILD_FILE)):
        package = file.parent.relative_to(root).as_posix().removeprefix(".")
        if SKIPPED & set(file.parts) or any(part.startswith(".") for part in Path(package).parts):
            continue
        try:
            entries = (yaml.safe_load(file.read_text()) or {}).get("targets") or []
            names = [next(iter(entry.values())) or {} for entry in entries]
        except (yaml.YAMLError, AttributeError, OSError):
            continue
        found.append(package)
        found += [f"//{package}:{each.get('name', default_name(package))}" for each in names]
    return found
