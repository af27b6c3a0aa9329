"""The layered graph on which build tools are compared, written for each of them."""

from dataclasses import dataclass
from pathlib import Path

LAYERS = 10
FAN_IN = 3


@dataclass(frozen=True, kw_only=True)
class Node:
    """One file task: `out` is the concatenation of `ins`."""

    out: str
    ins: tuple[str, ...]


def layered(count: int) -> list[Node]:
    """`count` tasks in ten layers, each reading three files of the layer before.

    The inputs of task i are tasks i, i + 1 and i + 2 of the layer before, modulo its width, so a change of
    one source reaches 1 + 3 + 5 + … = 100 tasks.
    """
    width = count // LAYERS
    nodes = [Node(out=f"l0_{i}.txt", ins=(f"src/s{i}.txt",)) for i in range(width)]
    for layer in range(1, LAYERS):
        for i in range(width):
            ins = tuple(f"l{layer - 1}_{(i + step) % width}.txt" for step in range(FAN_IN))
            nodes.append(Node(out=f"l{layer}_{i}.txt", ins=ins))
    return nodes


def write_sources(folder: Path, count: int) -> None:
    """The sources of the first layer."""
    (folder / "src").mkdir(parents=True)
    for i in range(count // LAYERS):
        (folder / f"src/s{i}.txt").write_text(f"source {i}\n")


def write_stbuild(folder: Path, nodes: list[Node]) -> None:
    """A workspace with one package of genrules."""
    (folder / "pyproject.toml").write_text("[tool.stbuild]\n")
    lines = ["targets:"]
    for node in nodes:
        srcs = ", ".join(name if "/" in name else f"':{name[:-4]}'" for name in node.ins)
        attrs = (
            f"name: {node.out[:-4]}, srcs: [{srcs}], outs: [{node.out}], cmd: 'cat $(SRCS) > $@', shell: sh"
        )
        lines.append(f"  - genrule: {{{attrs}}}")
    last = ", ".join(f"':l{LAYERS - 1}_{i}'" for i in range(len(nodes) // LAYERS))
    lines.append(f"  - filegroup: {{name: everything, srcs: [{last}]}}")
    (folder / "BUILD.yaml").write_text("\n".join(lines) + "\n")


def write_ninja(folder: Path, nodes: list[Node]) -> None:
    """A build.ninja."""
    lines = ["rule cat", "  command = cat $in > $out"]
    lines += [f"build {node.out}: cat {' '.join(node.ins)}" for node in nodes]
    (folder / "build.ninja").write_text("\n".join(lines) + "\n")


def write_make(folder: Path, nodes: list[Node]) -> None:
    """A Makefile."""
    lines = ["all: " + " ".join(node.out for node in nodes), ".PHONY: all"]
    for node in nodes:
        lines += [f"{node.out}: {' '.join(node.ins)}", "\tcat $^ > $@"]
    (folder / "Makefile").write_text("\n".join(lines) + "\n")


def write_doit(folder: Path, nodes: list[Node]) -> None:
    """A dodo.py."""
    rows = ",\n".join(f"    ({node.out!r}, {list(node.ins)!r})" for node in nodes)
    (folder / "dodo.py").write_text(
        f"NODES = [\n{rows}\n]\nDOIT_CONFIG = {{'verbosity': 0}}\n\n"
        "def task_cat():\n    for out, ins in NODES:\n"
        "        command = f\"cat {' '.join(ins)} > {out}\"\n"
        "        yield {'name': out, 'actions': [command], 'file_dep': ins, 'targets': [out]}\n"
    )


def write_bazel(folder: Path, nodes: list[Node]) -> None:
    """A WORKSPACE and a BUILD file of genrules."""
    (folder / "WORKSPACE").write_text("")
    lines = []
    for node in nodes:
        srcs = ", ".join(f'"{name if "/" in name else ":" + name[:-4]}"' for name in node.ins)
        outs = f'name = "{node.out[:-4]}", srcs = [{srcs}], outs = ["{node.out}"]'
        lines.append(f'genrule({outs}, cmd = "cat $(SRCS) > $@")')
    last = ", ".join(f'":l{LAYERS - 1}_{i}"' for i in range(len(nodes) // LAYERS))
    lines.append(f'filegroup(name = "everything", srcs = [{last}])')
    (folder / "BUILD").write_text("\n".join(lines) + "\n")


def write_snakemake(folder: Path, nodes: list[Node]) -> None:
    """A Snakefile."""
    rows = ",\n".join(f"    {node.out[:-4]!r}: {list(node.ins)!r}" for node in nodes)
    last = [node.out for node in nodes[-(len(nodes) // LAYERS) :]]
    (folder / "Snakefile").write_text(
        f"NODES = {{\n{rows}\n}}\n\nrule all:\n    input: {last!r}\n\n"
        "rule cat:\n    input: lambda wildcards: NODES[wildcards.name]\n"
        '    output: "{name,l[0-9]+_[0-9]+}.txt"\n    shell: "cat {input} > {output}"\n'
    )
