"""The arguments of every command."""

import argparse
import importlib
from collections.abc import Sequence
from typing import NoReturn

from stbuild import __version__
from stbuild.errors import StbuildError, did_you_mean

COMMANDS = {
    "build": "make targets (the default: `stbuild LABEL` is `stbuild build LABEL`)",
    "run": "make a target and run it: stbuild run projects/x --prompt … (`-- --help` tells its options)",
    "test": "run test targets",
    "publish": "build a project and store its bundle, signed, in a registry or a folder",
    "fetch": "get a published bundle, once its signatures and digests hold",
    "verify": "whether what is published, or was fetched, is what its publisher signed",
    "clean": "remove what was built; the cache stays",
    "query": "what depends on what, and which attributes targets have",
    "aquery": "the exact command, inputs and key of each action",
    "graph": "a target and what it needs, as a picture",
    "explain": "why a target would run, or did run",
    "explain-log": "the first real error of a v++ log, what it means, what to do; reports too",
    "diff": "which keys differ between two builds, and why",
    "bisect": "the commit since which a build fails or a figure is another",
    "report": "the nights as one HTML page: matrix, trends, alarms and commits",
    "log": "the last builds and the one that runs, what they cost and what the cache saved",
    "nightly": "build and measure the matrix of nightly.yaml, and compare with the nights before",
    "cache": "the size of the cache, its health, and making it smaller",
    "init": "make a workspace with a project that builds; `--model` makes it for a model on disk",
    "completion": "what a shell needs to complete commands and labels",
    "lock": "write down the versions of tools, so that another one is refused",
    "doctor": "what this machine has and lacks",
    "devices": "what a bundle can be run on here",
    "platforms": "the cards that can be built for",
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise StbuildError(message, hint=f"see `{self.prog} --help`")


def parse(words: Sequence[str]) -> argparse.Namespace:
    """The options of one command line; `function` runs its command, `rest` is what it hands on."""
    words = list(words)
    top = _Parser(prog="stbuild", description=__doc__, allow_abbrev=False)
    top.add_argument("--version", action="version", version=f"stbuild {__version__}")
    if not words or words[0] in ("-h", "--help", "--version", "help"):
        _list_commands(top, words)
    command, rest = (words[0], words[1:]) if words[0] in COMMANDS else ("build", words)
    parser = _Parser(prog=f"stbuild {command}", description=COMMANDS[command], allow_abbrev=False)
    module = importlib.import_module(f"stbuild.cli.{command.replace('-', '_')}")
    module.declare(parser)
    own, handed = _split(rest) if command == "run" else (rest, [])
    options, unknown = parser.parse_known_args(own)
    if unknown and command != "run":
        raise _unknown(parser, unknown[0], words[0], command)
    options.rest = unknown + handed
    options.function = module.execute
    return options


def add_build_options(parser: argparse.ArgumentParser) -> None:
    """The options of every command that may build."""
    add_graph_options(parser)
    parser.add_argument(
        "--jobs", "-j", type=_positive, help="how many actions run at once (default: processors)"
    )
    parser.add_argument("--keep-going", "-k", action="store_true", help="after a failure, make what is left")
    parser.add_argument(
        "--keep-dirs", action="store_true", help="keep the folders of actions and say how to rerun"
    )
    parser.add_argument(
        "--sandbox",
        choices=("auto", "landlock", "staged", "off"),
        help="what an action sees: landlock: what it declares; staged: a folder with its inputs; off: all",
    )
    parser.add_argument("--plain", action="store_true", help="lines instead of a live display")
    parser.add_argument(
        "--events", metavar="FILE", help="write each event to FILE as it happens, as a line of JSON"
    )


def add_graph_options(parser: argparse.ArgumentParser) -> None:
    """The options of every command that reads BUILD files."""
    parser.add_argument("--platform", help="the card, see `stbuild platforms`")
    parser.add_argument("--target", help="sw_emu (an emulated card, needs g++ only), hw_emu or hw")
    parser.add_argument(
        "--cpu", help="make host code for native (default) or for a baseline such as x86-64-v3"
    )
    parser.add_argument(
        "--cache-dir", help="the cache of results (default: $STBUILD_CACHE, ~/.cache/stbuild)"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="LABEL.ATTR=VALUE",
        help="override an attribute of a target",
    )
    parser.add_argument(
        "--weights", metavar="PATH", help="override the attribute `weights` of the packages named"
    )
    parser.add_argument("--verbose", "-v", action="store_true", help="tell more; tracebacks of plugins")


def _positive(text: str) -> int:
    if text.isdigit() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"takes a positive number, got {text!r}")


def _split(words: list[str]) -> tuple[list[str], list[str]]:
    if "--" not in words:
        return words, []
    cut = words.index("--")
    return words[:cut], words[cut + 1 :]


def _list_commands(top: argparse.ArgumentParser, words: list[str]) -> None:
    if words[:1] == ["--version"]:
        top.parse_args(words)
    top.description = "Takes a PyTorch LLM to a running FPGA accelerator with one incremental command."
    lines = "\n".join(f"  {name:11} {text}" for name, text in COMMANDS.items())
    top.epilog = f"commands:\n{lines}\n\n`stbuild COMMAND --help` tells the options of one."
    top.formatter_class = argparse.RawDescriptionHelpFormatter
    top.usage = "stbuild [COMMAND] LABEL… [options]"
    top.print_help()
    raise SystemExit(0)


def _unknown(parser: argparse.ArgumentParser, word: str, first: str, command: str) -> StbuildError:
    known = [text for action in parser._actions for text in action.option_strings]
    hint = (
        did_you_mean(word.partition("=")[0], known)
        if word.startswith("-")
        else f"see `stbuild {command} --help`"
    )
    return StbuildError(f"unknown option {word!r}", hint=hint)
