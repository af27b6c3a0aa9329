"""A shell command whose exit status is the result of a test."""

from dataclasses import dataclass

from stbuild.api import SHELLS, Context, File, Policy, Resources, TestInfo, rule


@dataclass(frozen=True, kw_only=True)
class ShTest:
    """`cmd` is a bash text as in a genrule, without outputs; the test fails when it fails.

    Each of `shards` sees its number in TEST_SHARD_INDEX, counted from 0, of TEST_TOTAL_SHARDS. A test that
    fails is tried again `retries` times; one that passes only then is reported as flaky. A test that writes
    JUnit XML of its cases to the path in XML_OUTPUT_FILE is reported case by case.
    """

    cmd: str
    srcs: tuple[File, ...] = ()
    tools: tuple[File, ...] = ()
    programs: tuple[str, ...] = ()
    env: dict[str, str] | None = None
    shards: int = 1
    retries: int = 0
    timeout_s: float = 300
    cpu: float = 1
    memory_mb: int = 0
    resources: dict[str, int] | None = None
    network: bool = False


_MOST_SHARDS = 1000
_RECORD_SUCCESS = """export XML_OUTPUT_FILE="$PWD/$1"
shift
"$@"
: > "$0"
: >> "$XML_OUTPUT_FILE"
"""
"""Runs the test in a shell of its own, so that nothing in its text can change how its failure is noticed."""


@rule
def sh_test(ctx: Context[ShTest]) -> TestInfo:
    """Run `cmd` under `stbuild test`; a success is cached like any result."""
    attrs = ctx.attrs
    if not 1 <= attrs.shards <= _MOST_SHARDS:
        ctx.fail(f"shards takes 1 to {_MOST_SHARDS}, got {attrs.shards}", attribute="shards")
    command = ctx.shell(attrs.cmd, srcs=attrs.srcs, tools=attrs.tools, attribute="cmd")
    named = tuple(sorted((attrs.resources or {}).items()))
    env = {**(attrs.env or {}), "TEST_TARGET": str(ctx.label), "TEST_TOTAL_SHARDS": str(attrs.shards)}
    for shard in range(attrs.shards):
        passed, cases = ctx.output(f"shard-{shard}.passed"), ctx.output(f"shard-{shard}.xml")
        ctx.run(
            "Test" if attrs.shards == 1 else f"Shard{shard + 1}of{attrs.shards}",
            (*SHELLS["bash"], _RECORD_SUCCESS, passed, cases, *command),
            inputs=(*attrs.srcs, *attrs.tools),
            env={**env, "TEST_SHARD_INDEX": str(shard)},
            tools=attrs.programs,
            policy=Policy(
                resources=Resources(cpu=attrs.cpu, memory_mb=attrs.memory_mb, named=named),
                timeout_s=attrs.timeout_s,
                retries=attrs.retries,
                network=attrs.network,
                report=cases.made,
            ),
        )
        ctx.test()
    return TestInfo(files=(*attrs.srcs, *attrs.tools))
