"""Compiles a kernel as the mock: clang as synthesis sees it, g++ for the image, both packed into an .xo."""

import json
import os
import re
import subprocess
import zipfile
from pathlib import Path
from typing import Any

from tests.hls_lib.kernel_text import read_kernel
from tests.toolchain.mock_vitis.options import Refused

ROOT = Path(__file__).resolve().parents[4]
"""The installation: this file lies in its lib/tests/toolchain/mock_vitis."""
SYNTHESIS = ("clang++-16", "-std=c++14", "-DSTB_SYNTHESIS", "-Wall", "-Wextra", "-Werror",
             "-Wno-unknown-pragmas", "-fsyntax-only")  # fmt: skip
SETTINGS = json.loads((ROOT / "mock.json").read_text()) if (ROOT / "mock.json").is_file() else {}
EMULATION = ("g++", "-std=c++17", SETTINGS.get("optimise", "-O3"), "-march=native", "-fPIC", "-w")
_SIGNATURE = re.compile(r'extern "C" (void \w+\(.*?\)) \{', re.DOTALL)
_LABEL = re.compile(r"^\s*(\w+):\s*$", re.MULTILINE)


def compile_kernel(name: str, source: Path, includes: list[str], out: Path) -> dict[str, Any]:
    """Write the .xo of a kernel and say what it has; C++ that does not compile is refused as HLS does it."""
    text = source.read_text()
    _check_for_synthesis(source, includes)
    made = out.with_suffix(".o")
    _run([*EMULATION, *(f"-I{folder}" for folder in includes), "-c", str(source), "-o", str(made)])
    kernel = described(name, text)
    with zipfile.ZipFile(out, "w") as archive:
        archive.write(made, "kernel.o")
        archive.writestr("kernel.json", json.dumps(kernel))
    made.unlink()
    return kernel


def read_object(path: Path, folder: Path) -> dict[str, Any]:
    """What an .xo has; its object is unpacked into `folder`."""
    with zipfile.ZipFile(path) as archive:
        kernel: dict[str, Any] = json.loads(archive.read("kernel.json"))
        kernel["object"] = str(folder / f"{kernel['name']}.o")
        Path(kernel["object"]).write_bytes(archive.read("kernel.o"))
    return kernel


def _check_for_synthesis(source: Path, includes: list[str]) -> None:
    headers = [ROOT / "include/stand_in", ROOT / "include/ap_types"]
    argv = [*SYNTHESIS, *(f"-isystem{folder}" for folder in headers), *(f"-I{folder}" for folder in includes)]
    done = subprocess.run([*argv, str(source)], capture_output=True, text=True, check=False)
    if done.returncode:
        first = next((line for line in done.stderr.splitlines() if " error: " in line), done.stderr[:200])
        place, _, what = first.partition(": error: ")
        raise Refused("v++ 207-3776", f"{what} ({place})")


def described(name: str, text: str) -> dict[str, Any]:
    """What the C++ of a kernel says of its ports, loops and processes."""
    kernel = read_kernel(text)
    if kernel.name != name:
        raise Refused("v++ 200-1909", f"top function {name!r} is not in the source")
    bundles = {
        p.options["port"]: p.options["bundle"] for p in kernel.pragmas if p.options.get("mode") == "m_axi"
    }
    elements = dict(re.findall(r"stb::Port<(stb::\w+)>& (\w+)", text))
    signature = _SIGNATURE.search(text)
    assert signature is not None
    types = {port: kind for kind, port in re.findall(r"stb::Port<(stb::\w+)>& (\w+)[,)]", signature[1])}
    assert elements
    return {
        "name": name,
        "signature": signature[1],
        "order": [(p.name, p.kind) for p in kernel.parameters],
        "pointers": {p.name: bundles[p.name] for p in kernel.parameters if p.kind.endswith("pointer")},
        "streams": {p.name: types[p.name] for p in kernel.parameters if p.kind == "stream"},
        "labels": [(label, text[: at.start(1)].count("\n") + 1) for at in _LABEL.finditer(text)
                   if (label := at[1]) not in ("public", "private", "default")],
        "processes": [call.process for call in kernel.calls],
    }  # fmt: skip


def _run(argv: list[str]) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=dict(os.environ))
    if done.returncode:
        raise Refused("MOCK 30", f"{argv[0]}: {done.stderr[:400]}")
