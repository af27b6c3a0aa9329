"""From a design to HLS C++, the linker's configuration and the emulation's network."""

from pathlib import Path

from stbuild.platform import Platform
from stbuild.step import F, Step, arg, main, out, out_tree


class Hls(Step[F]):
    """Generate the HLS C++ of a design."""

    design: F = arg("the design")
    platform: Platform = arg("the card")
    kernels: F = out_tree("one C++ file per kernel")
    cfg: F = out("the configuration of v++'s linker")
    system: F = out("the network for emulation")

    def run(self: "Hls[Path]") -> None:
        from stbuild.codegen.connectivity import connectivity_cfg
        from stbuild.codegen.kernels import kernel_files
        from stbuild.codegen.system import system_file
        from stbuild.ops.files import read_design

        design = read_design(self.design)
        self.kernels.mkdir(parents=True, exist_ok=True)
        for name, text in kernel_files(design).items():
            (self.kernels / f"{name}.cpp").write_text(text)
        self.cfg.write_text(connectivity_cfg(design, self.platform))
        self.system.write_text(system_file(design))


if __name__ == "__main__":
    main(Hls)
