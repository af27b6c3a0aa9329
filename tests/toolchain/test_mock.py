"""The mock v++ refuses what v++ would: options, keys, connections, memories, SLRs, depths."""

import copy
from typing import Any

import pytest

from tests.accelerator import platform
from tests.toolchain.installation import card_data
from tests.toolchain.mock_vitis.connectivity import System, check
from tests.toolchain.mock_vitis.options import Refused, parse, read_config

KERNELS: dict[str, Any] = {
    "control": {"pointers": {"a_mem": "a", "b_mem": "b"}, "streams": {"x": "stb::Word", "y": "stb::Word"}},
    "mac": {"pointers": {}, "streams": {"in": "stb::Word", "out": "stb::Word"}},
}
CFG = """platform=card
kernel_frequency=0:250

[connectivity]
nk=control:1:control
nk=mac:1:mac_0
slr=mac_0:SLR2
sp=control.a_mem:HBM[0]
sp=control.b_mem:HBM[1:3]
sc=control.x:mac_0.in:64
sc=mac_0.out:control.y:16
"""


def link(text: str, card: str = "u55c") -> System:
    """What is linked of the small system by the configuration `text`."""
    return check(read_config(text, "link"), copy.deepcopy(KERNELS), card_data(platform(card)))


def test_a_right_configuration_is_linked() -> None:
    system = link(CFG)
    assert (system.units, system.clock_mhz) == ({"control": "control", "mac_0": "mac"}, 250.0)
    assert system.banks["control", "b_mem"] == ("HBM", 1, 3)
    assert [each.depth for each in system.streams] == [64, 16]


WRONG = {
    "an unconnected stream": ("sc=mac_0.out:control.y:16\n", "", "No stream resources found"),
    "a stream connected twice": (":control.y:16", ":control.x:16", "control.x is connected already"),
    "a port that is not there": ("mac_0.in", "mac_0.inn", "mac_0 has no stream port inn"),
    "a depth below 16": (":64", ":8", "a power of two from 16, not 8"),
    "a depth that is no power of two": (":64", ":36", "a power of two from 16, not 36"),
    "a missing sp": ("sp=control.a_mem:HBM[0]\n", "", "control.a_mem has no sp"),
    "an sp given twice": ("sp=control.b_mem:HBM[1:3]", "sp=control.a_mem:HBM[2]", "has a memory already"),
    "an sp of no argument": ("control.a_mem:", "control.c_mem:", "applied to an invalid port or argument"),
    "a bank that is not there": ("HBM[1:3]", "HBM[30:32]", "HBM has 32 banks"),
    "a memory that is not there": ("HBM[0]", "DDR[0]", "the platform has no memory DDR"),
    "an unknown SLR": ("SLR2", "SLR3", "the platform has no SLR3"),
    "an SLR of no unit": ("slr=mac_0", "slr=mac_1", "no unit 'mac_1'"),
    "a kernel that is not there": ("nk=mac:1", "nk=mul:1", "no kernel 'mul' was given"),
    "too few names": ("nk=mac:1:mac_0", "nk=mac:2:mac_0", "2 units, 1 names"),
    "a key of another section": ("slr=mac_0:SLR2", "prop=run.impl_1.x=1", "unknown key 'prop'"),
    "an unknown key": ("nk=mac", "nkk=mac", "unknown key 'nkk'"),
    "a section of compiling": ("[connectivity]", "[hls]", "section [hls] has no place in the step link"),
    "a clock that is none": ("0:250", "0:fast", "Malformed kernel_frequency"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_configuration_is_refused(case: str) -> None:
    right, wrong, sentence = WRONG[case]
    assert right in CFG
    with pytest.raises(Refused) as caught:
        link(CFG.replace(right, wrong, 1))
    assert sentence in str(caught.value)


def test_a_card_of_one_die_takes_no_slr() -> None:
    text = CFG.replace("HBM[0]", "MC_NOC0").replace("HBM[1:3]", "MC_NOC0")
    with pytest.raises(Refused, match="the platform has no SLR2"):
        link(text, "vck5000")
    assert link(text.replace("slr=mac_0:SLR2\n", ""), "vck5000").slrs == {}


def test_all_memory_ports_of_all_kernels_are_counted() -> None:
    kernels, card = copy.deepcopy(KERNELS), card_data(platform("u55c"))
    card["axi_ports"] = 1
    with pytest.raises(Refused, match="2 memory ports, the platform has 1"):
        check(read_config(CFG, "link"), kernels, card)
    kernels["control"]["pointers"]["b_mem"] = "a"
    assert check(read_config(CFG, "link"), kernels, card).units


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        ("--compile --link", "one of --compile, --link and --package"),
        ("-l --sp a:b", "unrecognised option '--sp' of --link"),
        ("-c --kernel_frequency 0:250", "unrecognised option '--kernel_frequency' of --compile"),
        ("-c --mode hls --kernel k", "unrecognised option '--kernel' of --compile"),
        ("-p --package.sd_file x", "unrecognised option '--package.sd_file' of --package"),
    ],
)
def test_an_unknown_option_is_refused(argv: str, sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        parse(argv.split())


def test_link_keys_have_no_place_in_compiling() -> None:
    for step in ("compile", "hls"):
        with pytest.raises(Refused, match=r"section \[connectivity\] has no place"):
            read_config("[connectivity]\nnk=a:1:a\n", step)
