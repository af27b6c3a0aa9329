"""Runs one step of Vitis in an action's folder and hands out what counts of what it leaves behind.

It is a part of the key of each such action, of which a link takes hours: it judges nothing and imports only
the argv builders.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from stbuild.toolchain.vitis import vpp

_WORK = Path("tmp/vitis")
_FOLDERS = vpp.Folders(temp="tmp/vitis/_x", logs="tmp/vitis/logs", reports="tmp/vitis/reports")
_KEPT = (
    *("**/*.link_summary", "**/*.xclbin.info", "**/automation_summary.txt", "**/system_estimate*.xtxt"),
    *("**/*timing_summary*.rpt", "**/*util*routed*.rpt", "**/*util*placed*.rpt", "**/*util_synth*.rpt"),
)
_KEPT_BYTES = 1 << 20
"""A timing summary has 17 MB, of which the first 20 KB tell the slack."""


def compile_kernel(args: argparse.Namespace) -> None:
    """Compile a kernel, and hand out its object, HLS's two reports and the logs."""
    source = str(Path(args.source).absolute())
    includes = tuple(str(Path(folder).absolute()) for folder in args.include)
    kernel = vpp.Kernel(
        name=Path(args.source).stem, source=source, includes=includes, clock_hz=args.clock_mhz * 1_000_000
    )
    made = _WORK / f"{kernel.name}.xo"
    if vpp.Form(args.form) is vpp.Form.MODE:
        config = _WORK / "hls.cfg"
        config.write_text(vpp.hls_config(kernel, made.name))
        argv = vpp.hls_argv(kernel, args.platform, str(config), f"{_WORK}/_x")
    else:
        argv = vpp.compile_argv(kernel, args.target, args.platform, _FOLDERS, str(made))
    log = _run(argv)
    _take(_one(f"{kernel.name}.xo"), args.out)
    _take(_one("syn/report/csynth.xml", f"{kernel.name}_csynth.xml"), args.csynth_xml)
    _take(_one("syn/report/csynth.rpt", f"{kernel.name}_csynth.rpt"), args.csynth_rpt)
    hls = sorted(_WORK.rglob("*_hls.log"))
    Path(args.log).write_bytes(b"".join([log, *(path.read_bytes() for path in hls[:1])]))


def link(args: argparse.Namespace) -> None:
    """Link all kernels, and hand out the xclbin, or the XSA on Versal, and the reports."""
    objects = sorted(map(str, Path(args.objects).glob("*.xo")))
    made = _WORK / f"linked{Path(args.out).suffix}"
    argv = vpp.link_argv(args.target, args.platform, args.config, args.threads, _FOLDERS, str(made), objects)
    log = _run((*argv, "--jobs", str(min(args.jobs, os.cpu_count() or 1))))
    reports = Path(args.reports)
    reports.mkdir()
    (reports / "link.log").write_bytes(log)
    for path in sorted({path for pattern in _KEPT for path in _WORK.glob(pattern)}):
        (reports / path.name).write_bytes(path.read_bytes()[:_KEPT_BYTES])
    _take(_one(made.name), args.out)


def package(args: argparse.Namespace) -> None:
    """Make an xclbin of a linked XSA."""
    made = _WORK / "packaged.xclbin"
    _run(vpp.package_argv(args.target, args.platform, args.linked, _FOLDERS, str(made)))
    _take(_one(made.name), args.out)


def emconfig(args: argparse.Namespace) -> None:
    """Describe the emulated card."""
    _run(vpp.emconfig_argv(args.platform, str(_WORK)))
    _take(_one("emconfig.json"), args.out)


def _run(argv: Sequence[str]) -> bytes:
    """Run a program, show what it prints as it comes, and return that; its failure ends this process."""
    print("$", *argv, flush=True)
    process = subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=_environment()
    )
    assert process.stdout is not None
    told = []
    for line in process.stdout:
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
        told.append(line)
    code = process.wait()
    if code:
        _tell_errors()
        sys.exit(128 - code if code < 0 else code)
    return b"".join(told)


def _environment() -> dict[str, str]:
    """What settings64.sh would set, from where v++ lies; a library path of the user's breaks hw_emu."""
    env = {name: value for name, value in os.environ.items() if name != "LIBRARY_PATH"}
    program = shutil.which("v++")
    if program:
        env["XILINX_VITIS"] = str(Path(program).parent.parent)
    return env


def _tell_errors() -> None:
    """Print the errors of the runs that a failed step only points to."""
    for path in sorted(_WORK.rglob("runme.log")):
        lines = path.read_text(errors="replace").splitlines()
        grave = [line for line in lines if line.startswith(("ERROR", "CRITICAL WARNING"))]
        if grave:
            print(f"===> from {path}:", *grave[:50], sep="\n", flush=True)


def _one(*names: str) -> Path:
    """The file that a step must have made, by the first of its possible names."""
    for name in names:
        found = sorted(_WORK.rglob(name.rpartition("/")[2]))
        found = [path for path in found if str(path).endswith(name)]
        if found:
            return min(found, key=lambda path: len(path.parts))
    sys.exit(f"error: the tool ended well, but made no {names[0]}")


def _take(path: Path, out: str) -> None:
    path.replace(out)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    steps = parser.add_subparsers(required=True)
    step = steps.add_parser("compile")
    step.set_defaults(function=compile_kernel)
    _add(step, ("target", "platform", "form", "source", "out"))
    step.add_argument("--clock-mhz", type=int, required=True)
    step.add_argument("--include", action="append", default=[])
    for name in ("csynth_xml", "csynth_rpt", "log"):
        step.add_argument(name)
    step = steps.add_parser("link")
    step.set_defaults(function=link)
    _add(step, ("target", "platform", "objects", "config", "out", "reports"))
    step.add_argument("--threads", type=int, required=True)
    step.add_argument("--jobs", type=int, required=True)
    step = steps.add_parser("package")
    step.set_defaults(function=package)
    _add(step, ("target", "platform", "linked", "out"))
    step = steps.add_parser("emconfig")
    step.set_defaults(function=emconfig)
    _add(step, ("platform", "out"))
    return parser


def _add(parser: argparse.ArgumentParser, names: Iterable[str]) -> None:
    for name in names:
        parser.add_argument(f"--{name}", required=True)


if __name__ == "__main__":
    arguments = _parser().parse_args()
    _WORK.mkdir(parents=True)
    arguments.function(arguments)
