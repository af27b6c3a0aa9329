"""Failures of Vitis that are known: how a log shows them, what they mean, what to do.

The signatures were seen in logs and documents of real runs, which docs/vitis.md lists.
"""

import re
from dataclasses import dataclass

WRAPPERS = re.compile(
    r"""\[\S+\s(?:
      60-(?:592|599|602|626|661|702|703|704|773|806|814|1328|1442)   # v++ and vpl say that a step failed
    | 17-(?:39|69) | 4-(?:23|78) | 101-3 | 12-13638                      # Vivado says so of a command
    | 60-300(?=\].*Failed\ to\ build\ kernel)
    | 200-1715 | 212-(?:4|5|317|320|331) | 211-100                       # HLS says so of a phase
    | 82-(?:36|62) | 19-98
    )\]""",
    re.VERBOSE,
)
"""Messages that only say that something failed: never the cause."""


@dataclass(frozen=True, kw_only=True)
class Signature:
    """A kind of failure: what to search for in a line, and sentences for a person."""

    name: str
    pattern: re.Pattern[str]
    meaning: str
    advice: str


def _known(name: str, pattern: str, meaning: str, advice: str) -> Signature:
    return Signature(name=name, pattern=re.compile(pattern), meaning=meaning, advice=advice)


NO_MEMORY = _known(
    "no memory",
    r"(?i)cannot allocate memory|std::bad_alloc|out of memory|oom-kill|\bKilled\b|Error 137\b|signal 9\b",
    "the machine ran out of memory, or somebody killed the tool",
    "a link takes 32 to 64 GB: set `memory_mb` and `jobs` in [tool.stbuild.vitis]",
)
DISK_FULL = _known(
    "disk full",
    r"(?i)no space left on device|disk quota exceeded|17-\d+\].*disk",
    "the disk is full",
    "free some; a link takes tens of GB below its folder",
)

FAILURES: tuple[Signature, ...] = (
    NO_MEMORY,
    DISK_FULL,
    _known("licence", r"17-345\]|valid license was not found|(?i:license checkout failed|checkout of license)"
           r"|IPs? .*(?:requires? a license|license keys? (?:for|are) .*not)"
           r"|licens\w+ .*(?:has expired|not found)",
           "no licence was found for a feature, or it was lost",
           "check LM_LICENSE_FILE and XILINXD_LICENSE_FILE with `lmutil lmstat`, then build again"),
    _known("crash", r"60-777\]|Xilinx program has terminated unexpectedly",
           "the tool itself crashed",
           "build again with fewer `threads`; if it crashes again, ask AMD with the CrashLog folder"),
    _known("black box", r"INBB-\d+\]|considered a black box",
           "a module has no contents",
           "an IP or a netlist beside the kernels is missing; generated kernels should never get here"),
    _known("system headers", r"17-1309\]|Gcc: .*fatal error: \S+: No such file",
           "the compiler of Vitis does not find the C headers of this machine",
           "install libc6-dev-i386 (Debian, Ubuntu) or glibc-devel for 32 bits"),
    _known("platform year", r"60-1299\]|platform is not supported.*current tool version",
           "this Vitis refuses the platform: AMD supports one for its own calendar year and the next",
           "use a Vitis of the platform's year; `stbuild doctor` lists what each card accepts"),
    _known("no platform", r"60-(?:1600|1601|584|300)\].*(?:[Pp]latform.*(?:not found|not exist|open)|xpfm)"
           r"|(?:Unable|[Ff]ailed) to (?:find|open|read).*platform",
           "the platform's files were not found",
           "install the card's development platform, or name its folder in PLATFORM_REPO_PATHS"),
    _known("fixed platform", r"60-1606\]|non-accelerated platform",
           "the XSA is a fixed design that takes no kernels",
           "export it as an extensible platform"),
    _known("part", r"200-1023\]|Part '[^']+' is not installed|"
           r"(?:device|part) .*(?:is not (?:installed|supported)|not found in)",
           "support for the card's device family is not installed",
           "add it with Vivado's installer (Alveo, Versal)"),
    _known("year 2022", r"^ERROR: '\d{10}' is an invalid argument|bad lexical cast: source type value",
           "the IP's revision is made of the date, which no longer fits: the known fault of tools to 2021.2",
           "apply AMD's patch y2k22 (answer record 76960), or use 2022.1 or later"),
    _known("memory mapping", r"83-2229\]|Failed to find single interface to reach all segments",
           "one memory port of a kernel is mapped to memories that one port cannot reach",
           "give each port one contiguous range of one memory; put arguments into other bundles"),
    _known("sp name", r"83-2292\]|--sp tag applied to an invalid",
           "an `sp=` line names a port or argument that the kernel does not have",
           "compile the kernels and the link configuration from the same design"),
    _known("stream", r"83-2284\]|No stream resources found",
           "a stream port is connected to nothing, and the shell has no streams to the host",
           "connect both ends with an `sc=` line"),
    _known("stream connection", r"83-\d+\].*(?:stream_connect|--sc\b|stream connection)",
           "an `sc=` line names a port that does not exist, is taken, or has another width or direction",
           "compile the kernels and the link configuration from the same design"),
    _known("clock option", r"83-224[34]\]|Malformed --clock",
           "a clock option is written wrongly, or names a clock that cannot be a source",
           "commas join the entries of --clock; on Alveo use --kernel_frequency or --freqhz"),
    _known("config key", r"(?:60-1258|60-1263|82-\d+|83-\d+)\].*(?:[Uu]nrecognized|[Uu]nknown|[Ii]nvalid) "
           r"(?:option|key|section|argument)|unrecognised option|"
           r"(?:config|ini) file.*(?:invalid|unrecogni[sz]ed|not (?:a )?valid)",
           "v++ does not know an option or a key of a configuration file, or not in this step",
           "keys of linking do not go into a compile's file; the manual of this version (UG1702) lists both"),
    _known("package", r"60-2351\]|60-2500\]|package\.(?:sd_file|boot_mode)",
           "the package step was asked for what this platform does not have",
           "VCK5000 boots from OSPI: --package.boot_mode=ospi, without files for an SD card"),
    _known("over-use", r"30-640\]|UTLZ-\d+\]|over-utilized|requires more .* than are available|"
           r"[Uu]tilization exceeds",
           "the design needs more of a resource than the card or the region has",
           "use fewer lanes or channels, or move arrays and FIFOs from one kind of memory to another"),
    _known("packing", r"30-487\]|packing of instances into the device could not be obeyed",
           "the logic does not fit into the CLBs of a region, mostly for its many control sets",
           "plan for 62 to 70 % of the LUTs of each SLR, move kernels to another SLR"),
    _known("placement", r"\[(?:VPL|Place|Vivado)\s30-\d+\]",
           "Vivado found no placement", "read the message; use less of the SLR that it names"),
    _known("congestion", r"35-3\].*not routable|35-2\].*not legally routed|18-1000\]|35-162\]"
           r"|35-3311\]|global congestion level|signals failed to route",
           "wires do not fit: the design cannot be routed",
           "spread kernels over SLRs, use fewer memory ports and narrower streams; see `Congested clusters` "
           "in runme.log"),
    _known("region", r"18-5241\]|HPR Routing Violation",
           "a net left the region that kernels may use", "do not touch nets of the shell in own Tcl scripts"),
    _known("timing", r"(?i)design (?:did not|failed to) meet (?:the )?timing|38-282\]|35-39\]|"
           r"auto frequency scaling failed|negative slack",
           "paths are too slow for a clock that cannot be scaled",
           "ask for a lower clock, use fewer memory ports, or set Vivado's directives to explore"),
    _known("pins", r"35-19\]|Pin mapping failure",
           "a pin cannot be reached from its driver", "check own IP and constraints beside the kernels"),
    _known("constraints", r"\[VPL 101-2\].*\[Vivado 12-\d+\]|12-1433\]|Expecting a non-empty list",
           "a constraint or script names cells that are not in the design",
           "remove it, or fit it to this platform and this Vitis"),
    _known("C++ for synthesis", r"\[\S+ 207-\d+\]|200-70\]|200-1909\]|Compilation errors? found",
           "a kernel's C++ does not compile with the compiler of HLS (clang, C++14)",
           "mend the line that the message names"),
    _known("C++", r"^\S+:\d+:\d+: (?:fatal )?error: ", "C++ does not compile",
           "mend the line that the message names"),
    _known("test bench", r"200-627\]|Cannot find C test bench",
           "a simulation was asked for without a test bench",
           "add its files with `add_files -tb`, or leave the simulation out"),
    _known("HLS stopped", r"200-1715\]",
           "HLS gave up on a kernel; a message above says why, or it ran out of memory",
           "read the warnings before it in vitis_hls.log"),
    _known("unsynthesisable", r"\[(?:HLS|v\+\+|XFORM|SYNCHK) (?:214|203|200)-(?!70\b|1023\b|1715\b)\d+\]",
           "HLS cannot make hardware of a part of a kernel",
           "see the message in AMD's UG1448; generated C++ should never get here: report it"),
    _known("Verilog", r"\[\S+ 8-\d+\]", "synthesis of the RTL failed", "read the message and runme.log"),
    _known("emulation", r"43-3225\]|config_hw_emu\.elaborate|Cannot find design unit",
           "the simulation of hw_emu could not be built, mostly for a mixture of tool versions",
           "use the platform's Vitis for everything, and unset LIBRARY_PATH"),
    _known("block design", r"Failed to update block diagram|41-\d+\]|update_bd ERROR",
           "Vivado could not put the kernels into the shell's design, mostly for a mixture of tool versions",
           "compile and link with the same Vitis, one that the platform accepts"),
    _known("RTL kernel", r"19-(?:167|663|3461)\]|Failed to deliver one or more file",
           "an IP of a kernel lacks a file", "package the kernel again"),
    _known("co-simulation", r"\[COSIM |\[SIM ", "the C or RTL simulation of HLS failed",
           "see the lines of the test bench above"),
)  # fmt: skip

DEATHS: tuple[Signature, ...] = (
    NO_MEMORY,
    DISK_FULL,
    _known("crash", r"(?i)segmentation fault|abnormal program termination|terminate called|SIGSEGV|hs_err_pid"
           r"|EXCEPTION_ACCESS_VIOLATION|core dumped",
           "the tool itself crashed",
           "build again with fewer `threads`; if it crashes again, ask AMD with the hs_err file"),
    _known("deadlock", r"DEADLOCK DETECTED|pl_deadlock_diagnosis|deadlock detected",
           "the simulation stopped: a FIFO is too shallow, or processes wait for each other",
           "deepen the FIFOs of the cycle that the log names below this line; real hardware would only hang"),
    _known("missing tool", r"(?:command not found|No such file or directory|cannot open shared object file)",
           "a program or library that Vitis starts is not on the machine",
           "install what the line names; XRT brings xclbinutil, `installLibs.sh` of Vitis brings libraries"),
    _known("interrupted", r"(?i)\binterrupted\b|signal (?:2|15)\b|Received SIG(?:INT|TERM)|Error 130\b",
           "the run was stopped", "build again"),
)  # fmt: skip
"""Failures that come without a message of level ERROR."""

COMMAND_FAILED = _known(
    "command failed",
    r"^\s*(?:(?:Pre-s|S)ynthesis failed\.|\w+_design failed)\s*$",
    "a command failed, and this log does not say why",
    "read the warnings above it",
)
"""What is left when a log has neither an error nor another sign of one."""

NOTES: tuple[Signature, ...] = (
    _known("scaled clock", r"60-732\].*frequency is being automatically changed|"
           r"frequency is being automatically changed to",
           "the kernel clock was lowered, since paths were too slow for the one that was asked for",
           "the tool exits 0: compare the slack in the timing report, and use the new clock in estimates"),
    _known("timing warning", r"38-282\]|35-39\].*|design failed to meet the timing requirements",
           "timing is not met although the run goes on",
           "read the slack in the timing summary before this design meets a card"),
    _known("SLL", r"35-3311\]", "the wires between two SLRs crowd in a few columns",
           "a column has 1,440: pipeline the streams that cross, or place their ends on one SLR"),
    _known("congestion warning", r"35-162\]|35-447\]|35-448\]", "the router met congestion",
           "spread kernels over SLRs"),
    _known("II", r"200-8(?:80|85)\]|II Violation", "a loop missed its initiation interval",
           "see the dependence or the port that the message names"),
    _known("constraints of loops", r"200-790\].*NOT satisfied", "not every loop reached what was asked of it",
           "see the lines `Pipelining result` whose Final II is above the Target II"),
)  # fmt: skip
"""What a log of a run that succeeded should be read for."""


def failure_of(line: str) -> Signature | None:
    """The known failure that a line of an error shows."""
    return next((each for each in FAILURES if each.pattern.search(line)), None)
