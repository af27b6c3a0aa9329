"""The command lines of v++, in the forms of its versions."""

from stbuild.toolchain.vitis import vpp
from tests.toolchain.mock_vitis.options import parse, read_config

KERNEL = vpp.Kernel(name="mac", source="in/k/mac.cpp", includes=("in/include",), clock_hz=250_000_000)
FOLDERS = vpp.Folders(temp="tmp/_x", logs="tmp/logs", reports="tmp/reports")


def test_a_kernel_up_to_2023_1() -> None:
    assert " ".join(vpp.compile_argv(KERNEL, "hw", "card", FOLDERS, "mac.xo")) == (
        "v++ --compile --target hw --platform card --kernel mac --hls.clock 250000000:mac --save-temps "
        "--temp_dir tmp/_x --log_dir tmp/logs --report_dir tmp/reports -Iin/include --output mac.xo in/k/mac.cpp"
    )


def test_a_kernel_from_2023_2() -> None:
    assert " ".join(vpp.hls_argv(KERNEL, "card", "hls.cfg", "tmp/_x")) == (
        "v++ --compile --mode hls --platform card --freqhz 250000000 --config hls.cfg --work_dir tmp/_x"
    )
    assert vpp.hls_config(KERNEL, "mac.xo") == (
        "[hls]\nflow_target=vitis\nsyn.file=in/k/mac.cpp\nsyn.file_cflags=in/k/mac.cpp,-Iin/include\n"
        "syn.top=mac\npackage.output.format=xo\npackage.output.file=mac.xo\n"
    )


def test_the_form_follows_the_version() -> None:
    forms = {version: vpp.form_of(version) for version in ("2022.1", "2023.1", "2023.2", "2025.1")}
    assert [form.value for form in forms.values()] == ["kernel", "kernel", "mode", "mode"]


def test_linking_packaging_and_describing_an_emulated_card() -> None:
    link = vpp.link_argv("hw", "card", "link.cfg", 8, FOLDERS, "a.xclbin", ["a.xo", "b.xo"])
    assert " ".join(link) == (
        "v++ --link --target hw --platform card --config link.cfg --vivado.param general.maxThreads=8 "
        "--report_level 2 --save-temps --temp_dir tmp/_x --log_dir tmp/logs --report_dir tmp/reports "
        "--output a.xclbin a.xo b.xo"
    )
    package = vpp.package_argv("hw", "card", "a.xsa", FOLDERS, "a.xclbin")
    assert "--package.boot_mode=ospi" in package
    assert vpp.emconfig_argv("card", "out") == (
        "emconfigutil",
        "--platform",
        "card",
        "--nd",
        "1",
        "--od",
        "out",
    )


def test_the_mock_knows_every_option_that_is_used() -> None:
    commands = (
        vpp.compile_argv(KERNEL, "hw", "card", FOLDERS, "mac.xo"),
        vpp.hls_argv(KERNEL, "card", "hls.cfg", "tmp/_x"),
        (*vpp.link_argv("hw", "card", "link.cfg", 8, FOLDERS, "a.xclbin", ["a.xo"]), "--jobs", "2"),
        vpp.package_argv("hw", "card", "a.xsa", FOLDERS, "a.xclbin"),
    )
    assert [parse(list(argv[1:])).step for argv in commands] == ["compile", "hls", "link", "package"]
    assert len(read_config(vpp.hls_config(KERNEL, "mac.xo"), "hls")) == 6
