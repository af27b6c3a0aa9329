"""Compiles a kernel with v++, and hands out its object, HLS's two reports and the logs."""

from pathlib import Path

from stbuild.step import F, Step, arg, main, out
from stbuild.toolchain.vitis import vpp
from stbuild.toolchain.vitis.run import FOLDERS, WORK, one, run


class VppCompile(Step[F]):
    """Compile a kernel."""

    source: F = arg("the kernel's C++; its name is the kernel's")
    include: str = arg("folder of headers")
    target: str = arg("hw or hw_emu")
    platform: str = arg("the name of Vitis's platform")
    form: vpp.Form = arg("how this version compiles a kernel")
    clock_mhz: int = arg("the clock to compile for")
    xo: F = out("the object")
    csynth_xml: F = out("what HLS reports, as data")
    csynth_rpt: F = out("what HLS reports, in words")
    log: F = out("the logs of v++ and of HLS")

    def run(self: "VppCompile[Path]") -> None:
        WORK.mkdir(parents=True)
        name = self.source.stem
        log = run(self._argv())
        one(f"{name}.xo").replace(self.xo)
        one("syn/report/csynth.xml", f"{name}_csynth.xml").replace(self.csynth_xml)
        one("syn/report/csynth.rpt", f"{name}_csynth.rpt").replace(self.csynth_rpt)
        hls = sorted(WORK.rglob("*_hls.log"))
        self.log.write_bytes(b"".join([log, *(path.read_bytes() for path in hls[:1])]))

    def _argv(self: "VppCompile[Path]") -> tuple[str, ...]:
        kernel = vpp.Kernel(
            name=self.source.stem,
            source=str(self.source.absolute()),
            includes=(str(Path(self.include).absolute()),),
            clock_hz=self.clock_mhz * 1_000_000,
        )
        made = WORK / f"{kernel.name}.xo"
        if self.form is vpp.Form.KERNEL:
            return vpp.compile_argv(kernel, self.target, self.platform, FOLDERS, str(made))
        config = WORK / "hls.cfg"
        config.write_text(vpp.hls_config(kernel, made.name))
        return vpp.hls_argv(kernel, self.platform, str(config), f"{WORK}/_x")


if __name__ == "__main__":
    main(VppCompile)
