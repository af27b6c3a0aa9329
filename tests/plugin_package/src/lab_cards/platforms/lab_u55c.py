"""The U55C of our lab: kernels run at 200 MHz, and the server allows 115 W."""

from dataclasses import replace

from stbuild.api import builtin_platform
from stbuild.platform import Clocks, Power, Source

U55C = builtin_platform("u55c")

LAB_U55C = replace(
    U55C,
    name="lab_u55c",
    title="Alveo U55C in our lab",
    clocks=Clocks(
        default_mhz=U55C.clocks.default_mhz,
        second_mhz=U55C.clocks.second_mhz,
        target_mhz=200,
        scalable=True,
        sources=(
            U55C.clocks.source_of("default_mhz"),
            Source(of=("target_mhz",), text="our own builds close timing at 200 MHz"),
        ),
    ),
    power=Power(
        limit_watts=115,
        idle_watts=None,
        sources=(Source(of=("limit_watts",), text="the server's manual"),),
    ),
)
