"""Describes the emulated card with emconfigutil."""

from pathlib import Path

from stbuild.step import F, Step, arg, main, out
from stbuild.toolchain.vitis import vpp
from stbuild.toolchain.vitis.run import WORK, one, run


class Emconfig(Step[F]):
    """Describe the emulated card."""

    platform: str = arg("the name of Vitis's platform")
    config: F = out("emconfig.json")

    def run(self: "Emconfig[Path]") -> None:
        WORK.mkdir(parents=True)
        run(vpp.emconfig_argv(self.platform, str(WORK)))
        one("emconfig.json").replace(self.config)


if __name__ == "__main__":
    main(Emconfig)
