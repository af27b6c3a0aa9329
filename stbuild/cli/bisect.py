"""`stbuild bisect`: the commit since which a build fails or a figure is another."""

import argparse
import sys
from pathlib import Path

from stbuild import layout
from stbuild.cli.request import open_workspace
from stbuild.engine.load.workspace import default_configuration
from stbuild.errors import StbuildError, did_you_mean
from stbuild.nightly.bisect import Found, bisect_failure, bisect_figure
from stbuild.nightly.commit_run import Subject
from stbuild.nightly.figures import KINDS, PROMPT_KINDS
from stbuild.nightly.worktree import git

_EXAMPLES = """examples:
  the commit since which the target fails:
    stbuild bisect projects/x:check --good v1.2 --bad main
  the commit since which a figure of `stbuild nightly` is another:
    stbuild bisect projects/x --figure tokens_per_s@64 --good v1.2 --bad main
  the commit since which the last number that `stbuild run` prints is another:
    stbuild bisect projects/x:bench --printed --good v1.2 --bad main

exit codes: 0 the commit was found; 1 it cannot be told from its neighbours, which do not build or are
undecided, or nothing can be measured; 2 wrong usage
"""


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.epilog = _EXAMPLES
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("label", metavar="LABEL", help="a project's folder, or a target")
    parser.add_argument("--good", required=True, metavar="COMMIT", help="a commit at which all is well")
    parser.add_argument("--bad", required=True, metavar="COMMIT", help="a later one at which it is not")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--figure", metavar="NAME", help="a figure of a project, as `stbuild nightly` names it")
    what.add_argument(
        "--printed", action="store_true", help="the last number that `stbuild run LABEL` prints"
    )
    parser.add_argument("--platform", help="the card (default: the workspace's)")
    parser.add_argument("--target", help="sw_emu, hw_emu or hw (default: the workspace's)")
    parser.add_argument("--device", default="native", help="where a figure is measured (native)")
    parser.add_argument(
        "--most",
        type=_count,
        default=60,
        metavar="N",
        help="measurements of one commit before it is skipped (60)",
    )


def execute(options: argparse.Namespace) -> int:
    """Search, with progress on stderr, and print the commit."""
    workspace = open_workspace()
    configuration = default_configuration(workspace, options.platform, options.target)
    if options.figure:
        _check_figure(options.figure)
    subject = Subject(
        label=_from_root(workspace.root, options.label),
        platform=configuration.platform,
        target=configuration.target,
        device=options.device,
        figure=options.figure or "",
    )
    log = layout.state_dir(workspace.root) / "bisect.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("")
    ends = (workspace.root, subject, options.good, options.bad, log, _tell)
    by_value = options.figure or options.printed
    found = bisect_figure(*ends, options.most) if by_value else bisect_failure(*ends)
    return _told(workspace.root, found, log)


def _check_figure(name: str) -> None:
    kind = name.partition("@")[0]
    if kind not in KINDS:
        raise StbuildError(f"--figure: a night has no figure {name!r}", hint=did_you_mean(kind, KINDS))
    if kind in PROMPT_KINDS and not name.partition("@")[2].isdecimal():
        raise StbuildError(f"--figure: {name} is one of each prompt's length", hint=f"such as {kind}@64")


def _told(root: Path, found: Found, log: Path) -> int:
    if len(found.commits) > 1:
        names = ", ".join(commit[:12] for commit in found.commits)
        raise StbuildError(
            f"the commit is one of these, which cannot be judged: {names}", where=str(log), exit_code=1
        )
    values = f", {found.values} measurements" if found.values else ""
    print(git(root, "show", "--no-patch", "--format=%H%n  %an, %as: %s", *found.commits))
    print(f"  the first bad commit; {found.steps} commits judged{values}; log: {log}")
    return 0


def _from_root(root: Path, label: str) -> str:
    """A label as it is said at the workspace's root; a path starts at the current folder."""
    here = Path.cwd().relative_to(root)
    if label.startswith("//") or here == Path():
        return label
    return f"//{here}{label}" if label.startswith(":") else f"//{here}/{label}"


def _count(text: str) -> int:
    if text.isdecimal() and int(text) >= 2:
        return int(text)
    raise argparse.ArgumentTypeError(f"takes a number of 2 or more, got {text!r}")


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
