"""From a design to HLS C++, the linker's configuration and the emulation's network."""

import json
from argparse import Namespace
from pathlib import Path

from stbuild.codegen.connectivity import connectivity_cfg
from stbuild.codegen.kernels import kernel_files
from stbuild.codegen.system import system_file
from stbuild.ir import serde
from stbuild.ops.files import read_design
from stbuild.platform import Platform
from stbuild.stage.entry import run_stage, stage_parser


def main(args: Namespace) -> None:
    """Write one C++ file per kernel, `link.cfg` and `system.cpp`."""
    design = read_design(Path(args.design))
    platform = serde.from_data(Platform, json.loads(Path(args.params).read_text())["platform"])
    kernels = Path(args.kernels)
    kernels.mkdir(parents=True, exist_ok=True)
    for name, text in kernel_files(design).items():
        (kernels / f"{name}.cpp").write_text(text)
    Path(args.cfg).write_text(connectivity_cfg(design, platform))
    Path(args.system).write_text(system_file(design))


if __name__ == "__main__":
    run_stage(
        stage_parser(
            "Generate the HLS C++ of a design.",
            design="the design",
            params="the platform",
            kernels="folder for one C++ file per kernel",
            cfg="v++ linker configuration",
            system="the network for emulation",
        ),
        main,
    )
