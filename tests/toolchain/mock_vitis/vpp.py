"""A mock of v++: strict about its command line and files, with g++ behind it. It is not Vitis."""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from tests.toolchain.mock_vitis import image, reports
from tests.toolchain.mock_vitis.connectivity import check
from tests.toolchain.mock_vitis.kernels import ROOT, compile_kernel, read_object
from tests.toolchain.mock_vitis.options import Command, Refused, parse, read_config

ENDS = {
    "compile": ("60-599", "Kernel compilation failed to complete", "60-592", "Failed to finish compilation"),
    "link": ("60-626", "Kernel link failed to complete", "60-703", "Failed to finish linking"),
    "package": ("60-702", "Failed to finish packaging", "60-702", "Failed to finish packaging"),
}


def main() -> int:
    """Run one step; the exit status is that of the real tool as far as it was recorded."""
    version = json.loads((ROOT / "mock.json").read_text())["version"]
    print(reports.VERSION_LINES.format(version=version).strip() if "--version" in sys.argv
          else reports.VERSION_LINES.format(version=version), flush=True)  # fmt: skip
    if "--version" in sys.argv:
        return 0
    step = "compile"
    try:
        command = parse(sys.argv[1:])
        step = "compile" if command.step == "hls" else command.step
        _run(command, version)
    except Refused as error:
        first, told, last, end = ENDS[step]
        print(
            f"ERROR: [{error.code}] {error}",
            f"ERROR: [v++ {first}] {told}",
            f"ERROR: [v++ {last}] {end}",
            sep="\n",
        )
        return 1
    print("INFO: [v++ 60-791] Total elapsed time: 0h 0m 1s")
    return 0


def _run(command: Command, version: str) -> None:
    card = _card(command.one("--platform"), version)
    trouble = _trouble()
    if trouble == "licence":
        raise Refused(
            "Common 17-345", "A valid license was not found for feature 'Synthesis' and/or device 'xcu55c'"
        )
    if command.step in ("compile", "hls"):
        _compile(command, card, trouble, version)
    elif command.step == "link":
        _link(command, card, trouble)
    else:
        _package(command, card)


def _trouble() -> str:
    place = ROOT / "trouble"
    return place.read_text().strip() if place.is_file() else ""


def _card(name: str, version: str) -> dict[str, Any]:
    for folder in os.environ.get("PLATFORM_REPO_PATHS", "").split(os.pathsep):
        place = Path(folder, name, "mock.json")
        if place.is_file():
            card: dict[str, Any] = json.loads(place.read_text())
            if version not in card["versions"]:
                told = f"Platform '{name}.xpfm' is not supported by the current tool version ({version})"
                raise Refused("v++ 60-1299", f"The specified platform is not supported. {told}")
            print(f"INFO: [v++ 60-895]   Target platform: {place.with_name(name)}.xpfm")
            return card
    raise Refused("MOCK 40", f"platform {name} was not found")


def _configured(command: Command) -> list[tuple[str, str, str]]:
    return [line for path in command.options.get("--config", []) for line in
            read_config(Path(path).read_text(), command.step)]  # fmt: skip


def _compile(command: Command, card: dict[str, Any], trouble: str, version: str) -> None:
    if (command.step == "hls") != (version >= "2023.2"):
        raise Refused("MOCK 41", f"the mock of {version} takes the other form of compiling a kernel")
    lines = _configured(command)
    if command.step == "hls":
        given = {key: value for _, key, value in lines}
        name, source, clock = given["syn.top"], given["syn.file"], int(command.one("--freqhz"))
        flags = given["syn.file_cflags"].partition(",")[2].split()
        includes = [flag[2:] for flag in flags if flag.startswith("-I")]
        work = Path(command.one("--work_dir"))
        out, solution = work / given["package.output.file"], work / "hls"
    else:
        name, (source,) = command.one("--kernel"), command.files
        hz, _, owner = command.one("--hls.clock").partition(":")
        if owner != name:
            raise Refused("MOCK 42", f"--hls.clock is for {owner!r}, the kernel is {name!r}")
        clock, includes, out = int(hz), command.includes, Path(command.one("--output"))
        solution = Path(command.one("--temp_dir"), name, name, name, "solution")
        if command.one("--target") not in ("hw", "hw_emu"):
            raise Refused("MOCK 43", "a target is hw or hw_emu")
    (solution / "syn/report").mkdir(parents=True)
    kernel = compile_kernel(name, Path(source), includes, out)
    (solution / "syn/report/csynth.xml").write_text(reports.csynth_xml(kernel, card["part"], clock, trouble))
    (solution / "syn/report/csynth.rpt").write_text(reports.csynth_rpt(kernel, trouble))
    (solution.parent / "vitis_hls.log").write_text(reports.hls_log(kernel, source, trouble))
    print(f"INFO: [v++ 60-586] Created {out}")


def _link(command: Command, card: dict[str, Any], trouble: str) -> None:
    temp = Path(command.one("--temp_dir"))
    temp.mkdir(parents=True)
    kernels = {k["name"]: k for k in (read_object(Path(path), temp) for path in command.files)}
    system = check(_configured(command), kernels, card)
    if trouble == "killed":
        print("[11:39:28] Starting logic placement..", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    out, target = Path(command.one("--output")), command.one("--target")
    if out.suffix != (".xsa" if card["versal"] else ".xclbin"):
        raise Refused(
            "MOCK 44", f"this platform links to {'.xsa' if card['versal'] else '.xclbin'}, not to {out.name}"
        )
    shared = image.link_image(system, kernels, temp)
    if target == "hw":
        name = out.stem
        achieved = reports.link_reports(
            temp.parent, f"{name}.xclbin", system.units, card["slrs"], system.clock_mhz, trouble
        )
        if achieved < system.clock_mhz:
            print(
                f"WARNING: [VPL 60-732] Link warning: One or more timing paths failed timing targeting "
                f"{system.clock_mhz:g} MHz for kernel clock 'ulp_ucs/aclk_kernel_00'. The frequency is being "
                f"automatically changed to {achieved:g} MHz to enable proper functionality"
            )
        print(
            "INFO: [v++ 60-1230] The compiler selected the following frequencies for the runtime controllable "
            "kernel clock(s) and scalable system clock(s): System (SYSTEM) clock: hbm_aclk = 450, Kernel "
            "(KERNEL) clock: "
            f"ulp_ucs/aclk_kernel_01 = 500, Kernel (DATA) clock: ulp_ucs/aclk_kernel_00 = {int(achieved)}"
        )
    out.write_bytes(image.wrap(system, kernels, card, shared, target == "hw"))
    print(f"INFO: [v++ 60-586] Created {out}")


def _package(command: Command, card: dict[str, Any]) -> None:
    if not card["versal"] or command.one("--package.boot_mode") != "ospi":
        raise Refused("v++ 60-2351", "Option 'package.boot_mode' does not fit the platform")
    (linked,) = command.files
    Path(command.one("--output")).write_bytes(Path(linked).read_bytes())
