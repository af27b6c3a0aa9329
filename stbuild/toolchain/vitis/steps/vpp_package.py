"""Makes an xclbin of a linked XSA with v++, the last step on Versal."""

from pathlib import Path

from stbuild.step import F, Step, arg, main, out
from stbuild.toolchain.vitis import vpp
from stbuild.toolchain.vitis.run import FOLDERS, WORK, one, run


class VppPackage(Step[F]):
    """Make an xclbin of a linked XSA."""

    linked: F = arg("the XSA")
    target: str = arg("hw or hw_emu")
    platform: str = arg("the name of Vitis's platform")
    xclbin: F = out("the xclbin")

    def run(self: "VppPackage[Path]") -> None:
        WORK.mkdir(parents=True)
        made = WORK / "packaged.xclbin"
        run(vpp.package_argv(self.target, self.platform, str(self.linked), FOLDERS, str(made)))
        one(made.name).replace(self.xclbin)


if __name__ == "__main__":
    main(VppPackage)
