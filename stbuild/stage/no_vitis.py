"""Says, in place of a v++ run, where a hardware build ends today."""

from argparse import Namespace
from pathlib import PurePath

from stbuild.errors import StbuildError
from stbuild.stage.entry import run_stage, stage_parser


def main(args: Namespace) -> None:
    """Fail with one sentence; paths of inputs begin with `in/`."""
    folder = PurePath(args.cfg).parent.relative_to("in")
    raise StbuildError(
        f"the C++ and the linker configuration for {args.target} are built, but stbuild does not run v++ yet",
        hint=f"they are in stbuild-out/*-{args.target}/{folder}; --target sw_emu goes on with g++",
        exit_code=1,
    )


if __name__ == "__main__":
    run_stage(
        stage_parser("Stop a hardware build.", target="hw_emu or hw", cfg="link.cfg"),
        main,
    )
