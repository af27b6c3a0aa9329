"""The command line and the configuration files of the mock v++: what each step knows, and nothing else.

From AMD UG1393 and UG1702 as far as stbuild and the recorded logs use them.
"""

from dataclasses import dataclass, field

FLAG, VALUE = 0, 1
FOLDERS = {"--temp_dir": VALUE, "--log_dir": VALUE, "--report_dir": VALUE, "--save-temps": FLAG}
COMMON = {
    **FOLDERS,
    **dict.fromkeys(("--target", "--platform", "--config", "--output", "--report_level", "--jobs"), VALUE),
}
STEPS: dict[str, dict[str, int]] = {
    "compile": {**COMMON, "--kernel": VALUE, "--hls.clock": VALUE},
    "hls": dict.fromkeys(("--mode", "--platform", "--part", "--freqhz", "--config", "--work_dir"), VALUE),
    "link": {
        **COMMON,
        **dict.fromkeys(("--kernel_frequency", "--freqhz", "--vivado.param", "--vivado.prop"), VALUE),
        **dict.fromkeys(("--advanced.param", "--advanced.misc", "--connectivity.nk"), VALUE),
        **dict.fromkeys(("--connectivity.sp", "--connectivity.sc", "--connectivity.slr"), VALUE),
    },
    "package": {**COMMON, "--package.boot_mode": VALUE, "--package.out_dir": VALUE},
}
SHORT = {"-c": "--compile", "-l": "--link", "-p": "--package", "-t": "--target", "-k": "--kernel",
         "-o": "--output", "-R": "--report_level", "-j": "--jobs", "-f": "--platform"}  # fmt: skip
_TOP = frozenset({"platform", "target", "kernel_frequency", "freqhz", "save-temps"})
KEYS: dict[str, dict[str, frozenset[str]]] = {
    "compile": {"": _TOP - {"kernel_frequency"}, "hls": frozenset({"clock", "clock_uncertainty", "jobs"})},
    "hls": {
        "": frozenset({"platform", "part", "freqhz"}),
        "hls": frozenset({"flow_target", "clock", "clock_uncertainty", "syn.file", "syn.file_cflags",
                          "syn.cflags",
                          "syn.top", "syn.output.format", "package.output.format", "package.output.file",
                          "package.output.syn", "tb.file"}),
    },
    "link": {
        "": _TOP,
        "connectivity": frozenset({"nk", "sp", "sc", "stream_connect", "slr"}),
        "clock": frozenset({"freqhz", "freqHz", "defaultFreqHz", "id", "tolerance"}),
        "vivado": frozenset({"prop", "param"}),
        "advanced": frozenset({"param", "misc"}),
        "profile": frozenset({"data", "stall", "exec"}),
        "debug": frozenset({"chipscope", "protocol"}),
    },
    "package": {"": _TOP, "package": frozenset({"boot_mode", "out_dir"})},
}  # fmt: skip


class Refused(Exception):
    """What the mock prints as an error: `code` is recorded from the real tool, or `MOCK n`."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass
class Command:
    """A parsed command line."""

    step: str
    options: dict[str, list[str]] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    includes: list[str] = field(default_factory=list)

    def one(self, name: str) -> str:
        """The value of an option that must be given once."""
        values = self.options.get(name, [])
        if len(values) != 1:
            raise Refused("MOCK 1", f"{name} is given {len(values)} times")
        return values[0]


def parse(argv: list[str]) -> Command:
    """The command of a command line; an option that its step does not know is refused."""
    words = [SHORT.get(word, word) for word in argv]
    steps = [name for name in ("compile", "link", "package") if f"--{name}" in words]
    if len(steps) != 1:
        raise Refused("MOCK 2", f"one of --compile, --link and --package, got {steps}")
    step = "hls" if "--mode" in words and steps == ["compile"] else steps[0]
    command, known = Command(step=step), STEPS[step]
    rest = iter(word for word in words if word != f"--{steps[0]}")
    for word in rest:
        name, equals, value = word.partition("=")
        if word.startswith("-I") and step == "compile":
            command.includes.append(word[2:])
        elif not word.startswith("-"):
            command.files.append(word)
        elif name not in known:
            raise Refused("MOCK 3", f"unrecognised option '{name}' of --{steps[0]}")
        else:
            value = value if equals or known[name] == FLAG else next(rest)
            command.options.setdefault(name, []).append(value)
    return command


def read_config(text: str, step: str) -> list[tuple[str, str, str]]:
    """Section, key and value of every line; a section or key that belongs to another step is refused."""
    section, found = "", list[tuple[str, str, str]]()
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.partition("#")[0].strip()
        if not line:
            continue
        if line.startswith("["):
            section = line.strip("[]")
            if section not in KEYS[step]:
                raise Refused("MOCK 4", f"line {number}: section [{section}] has no place in the step {step}")
            continue
        key, equals, value = (part.strip() for part in line.partition("="))
        if not equals:
            raise Refused("MOCK 5", f"line {number}: {line!r} is no key=value")
        if key not in KEYS[step][section]:
            raise Refused("MOCK 6", f"line {number}: unknown key '{key}' in [{section}] of the step {step}")
        found.append((section, key, value))
    return found
