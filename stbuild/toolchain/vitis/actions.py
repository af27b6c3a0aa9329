"""The actions of Vitis: kernels to objects, objects to an xclbin; apart from them, the judges of reports."""

import os
from dataclasses import dataclass
from typing import Any, NoReturn

from stbuild.api import Context, File, Policy, Resources, StbuildError, Toolchain, Tree
from stbuild.platform import DspKind, Platform
from stbuild.providers import HlsInfo, KernelsInfo, LinkInfo
from stbuild.toolchain.device_model import compile_device_model
from stbuild.toolchain.vitis.find import Vitis, find_platform, find_vitis, refused_version
from stbuild.toolchain.vitis.settings import Settings, settings_of
from stbuild.toolchain.vitis.steps.emconfig import Emconfig
from stbuild.toolchain.vitis.steps.judge_kernels import JudgeKernels
from stbuild.toolchain.vitis.steps.judge_link import JudgeLink
from stbuild.toolchain.vitis.steps.vpp_compile import VppCompile
from stbuild.toolchain.vitis.steps.vpp_link import VppLink
from stbuild.toolchain.vitis.steps.vpp_package import VppPackage
from stbuild.toolchain.vitis.vpp import form_of

EXPLAIN = "stbuild.toolchain.vitis.failure"
_PASSED = ("LM_LICENSE_FILE", "XILINXD_LICENSE_FILE")


@dataclass(frozen=True, kw_only=True)
class Installed:
    """What an action of Vitis needs to know of this machine and this workspace."""

    vitis: Vitis
    platform: Platform
    platforms: str
    settings: Settings

    def policy(self, *, hours: float, memory_mb: int, cpu: float, licence: str) -> Policy:
        """How a step of Vitis runs: with its licence, memory and time, its own programs and the network."""
        return Policy(
            resources=Resources(
                cpu=cpu,
                memory_mb=memory_mb,
                named=((licence, 1),),
                semantic=(("platform", self.platform.vitis_platform), ("vitis", self.vitis.version)),
            ),
            timeout_s=hours * 3600,
            network=True,
            pass_env=_PASSED,
            programs=tuple((name, self.vitis.program(name)) for name in ("v++", "emconfigutil")),
            reads=(self.vitis.root, *self.vitis.siblings, self.platforms, "/opt/xilinx"),
            given=(("PLATFORM_REPO_PATHS", self.platforms),),
            explain=EXPLAIN,
        )


def vitis_toolchain(name: str, *, on_card: bool) -> Toolchain:
    """The toolchain of one of v++'s targets."""

    def compile_(ctx: Context[Any], hls: HlsInfo, defines: tuple[str, ...]) -> KernelsInfo:
        return _compile(ctx, name, hls, defines)

    def link(ctx: Context[Any], kernels: KernelsInfo, defines: tuple[str, ...]) -> LinkInfo:
        return _link(ctx, name, kernels, defines, on_card=on_card)

    return Toolchain(
        name=name,
        compile=compile_,
        link=link,
        on_card=on_card,
        device="xrt",
        device_model=compile_device_model,
    )


def _compile(ctx: Context[Any], target: str, hls: HlsInfo, defines: tuple[str, ...]) -> KernelsInfo:
    """One action per kernel; another reads what HLS reports of all of them."""
    _refuse_defines(ctx, defines)
    found = installed(ctx, target)
    objects, include = ctx.output_tree("objects"), ctx.builtin("hls_lib/include")
    settings = found.settings

    def compiled(source: File, xo: File) -> VppCompile[File]:
        return VppCompile(
            source=source,
            include=include.staged,
            target=target,
            platform=found.platform.vitis_platform,
            form=form_of(found.vitis.version),
            clock_mhz=found.platform.clocks.target_mhz,
            xo=xo,
            csynth_xml=xo.with_suffix(".csynth.xml"),
            csynth_rpt=xo.with_suffix(".csynth.rpt"),
            log=xo.with_suffix(".log"),
        )

    ctx.run_each(
        "VppCompile",
        over=hls.kernels,
        pattern="*.cpp",
        command=compiled,
        out_tree=objects,
        out_suffix=".xo",
        include_dirs=(include,),
        tools=("v++",),
        policy=found.policy(
            hours=settings.compile_hours,
            memory_mb=settings.compile_memory_mb,
            cpu=1,
            licence="vitis_hls",
        ),
    )
    return KernelsInfo(objects=objects, hls=hls, report=_judge_kernels(ctx, found, objects, hls))


def _judge_kernels(ctx: Context[Any], found: Installed, objects: Tree, hls: HlsInfo) -> File:
    report, text, summary = ctx.output("kernels.json"), ctx.output("kernels.txt"), ctx.output("summary.json")
    ctx.step(
        JudgeKernels(
            objects=objects,
            kernels=hls.kernels,
            strict=found.settings.strict_ii,
            report=report,
            text=text,
            summary=summary,
        )
    )
    ctx.summary(summary)
    return report


def _link(
    ctx: Context[Any], target: str, kernels: KernelsInfo, defines: tuple[str, ...], *, on_card: bool
) -> LinkInfo:
    """The link is one action; another judges its reports, so that a new reading never links again."""
    _refuse_defines(ctx, defines)
    found = installed(ctx, target)
    settings, platform = found.settings, found.platform
    versal = platform.dsp.type is DspKind.DSP58
    linked, reports = ctx.output("linked.xsa" if versal else "linked.xclbin"), ctx.output_tree("reports")
    ctx.step(
        VppLink(
            objects=kernels.objects,
            config=kernels.hls.cfg,
            target=target,
            platform=platform.vitis_platform,
            threads=settings.threads,
            jobs=settings.jobs,
            linked=linked,
            reports=reports,
        ),
        tools=("v++",),
        policy=found.policy(
            hours=settings.hours, memory_mb=settings.memory_mb, cpu=settings.jobs, licence="vitis"
        ),
    )
    report = _judge_link(ctx, target, found, kernels, reports, timed=on_card)
    xclbin = _package(ctx, target, found, linked) if versal else linked
    beside = () if on_card else (_emconfig(ctx, found),)
    return LinkInfo(hls=kernels.hls, xclbin=xclbin, report=report, beside=beside)


def _judge_link(
    ctx: Context[Any], target: str, found: Installed, kernels: KernelsInfo, reports: Tree, *, timed: bool
) -> File:
    report, text, summary = ctx.output("link.json"), ctx.output("link.txt"), ctx.output("summary.json")
    ctx.step(
        JudgeLink(
            reports=reports,
            cfg=kernels.hls.cfg,
            kernels=kernels.report,
            target=target,
            slack_ns=found.settings.slack_ns,
            timed=timed,
            report=report,
            text=text,
            summary=summary,
        )
    )
    ctx.summary(summary)
    return report


def installed(ctx: Context[Any], target: str) -> Installed:
    """Vitis and the platform on this machine; without them, or if they do not fit, the call is refused."""
    try:
        settings = settings_of(ctx.vitis)
        vitis = find_vitis(ctx.look, settings, os.environ)
    except StbuildError as error:
        ctx.fail(error.message, hint=error.hint)
    platform: Platform = ctx.platform
    if vitis is None:
        _fail_without_vitis(ctx, target, platform)
    refused = refused_version(vitis, platform, ctx.look)
    if refused is not None:
        ctx.fail(refused.message, hint=refused.hint)
    folder = find_platform(platform, vitis, ctx.look, settings, os.environ)
    if folder is None:
        ctx.fail(
            f"the platform {platform.vitis_platform} is not installed",
            hint="install the card's development platform, or name its folder in PLATFORM_REPO_PATHS",
        )
    return Installed(vitis=vitis, platform=platform, platforms=folder, settings=settings)


def _fail_without_vitis(ctx: Context[Any], target: str, platform: Platform) -> NoReturn:
    package = ctx.label.package
    versions = f"{platform.vitis_versions[0]} to {platform.vitis_versions[-1]}"
    ctx.fail(
        f"--target {target} needs Vitis ({versions} for {platform.name}), and v++ is not on this machine",
        hint=f"set XILINX_VITIS or PATH, or `path` in [tool.stbuild.vitis]; without it "
        f"`stbuild {package}:hls --target {target}` writes the C++ and link.cfg, "
        f"and `stbuild {package}` runs them on an emulated card",
    )


def _refuse_defines(ctx: Context[Any], defines: tuple[str, ...]) -> None:
    if defines:
        ctx.fail(
            "macros are for the emulator's C++; v++ compiles the kernels as they are",
            attribute="defines",
            hint="add `target: sw_emu`",
        )


def _package(ctx: Context[Any], target: str, found: Installed, linked: File) -> File:
    """The last step on Versal."""
    xclbin = ctx.output("packaged.xclbin")
    ctx.step(
        VppPackage(linked=linked, target=target, platform=found.platform.vitis_platform, xclbin=xclbin),
        tools=("v++",),
        policy=found.policy(hours=4, memory_mb=8_000, cpu=1, licence="vitis_hls"),
    )
    return xclbin


def _emconfig(ctx: Context[Any], found: Installed) -> File:
    config = ctx.output("emconfig.json")
    ctx.step(
        Emconfig(platform=found.platform.vitis_platform, config=config),
        tools=("emconfigutil",),
        policy=found.policy(hours=1, memory_mb=2_000, cpu=1, licence="vitis_hls"),
    )
    return config
