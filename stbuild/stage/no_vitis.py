"""Says, in place of a v++ run, where a hardware build ends today."""

from argparse import Namespace

from stbuild.errors import StbuildError
from stbuild.stage.entry import run_stage, stage_parser


def main(args: Namespace) -> None:
    """Fail with one sentence."""
    raise StbuildError(
        f"the C++ and the linker configuration for {args.target} are built, but stbuild does not run v++ yet",
        hint=f"they are in {args.kernels} and {args.cfg}; use --target sw_emu to go on with g++",
        exit_code=1,
    )


if __name__ == "__main__":
    run_stage(
        stage_parser("Stop a hardware build.", target="hw_emu or hw", kernels="C++ files", cfg="link.cfg"),
        main,
    )
