"""From a traced graph to a placed design: numerics, schedule, dataflow, FIFO depths, memory."""

import json
from argparse import Namespace
from pathlib import Path

from stbuild.ir import serde
from stbuild.ir.weights import WeightIndex
from stbuild.passes.pipeline import plan
from stbuild.passes.report import design_report
from stbuild.passes.sizes import SizeOverrides
from stbuild.platform import Platform
from stbuild.stage.entry import run_stage, stage_parser
from stbuild.stage.fixed_graph import add_formats, fixed_graph


def main(args: Namespace) -> None:
    """Write the graph in fixed point, the design, and a report to read."""
    params = json.loads(Path(args.params).read_text())
    graph = fixed_graph(args.graph, args.formats)
    index = serde.read(WeightIndex, Path(args.index))
    platform = serde.from_data(Platform, params["platform"])
    design = plan(graph, index, platform, SizeOverrides(**params["overrides"]))
    serde.write(Path(args.out_graph), graph)
    serde.write(Path(args.out_design), design)
    Path(args.report).write_text(design_report(design, platform))


if __name__ == "__main__":
    parser = stage_parser(
        "Bind a graph to engines, channels and memory.",
        graph="the traced graph",
        index="the index of the weights",
        params="platform and overrides",
        out_graph="the graph in fixed point",
        out_design="the design",
        report="the design in words",
    )
    add_formats(parser)
    run_stage(parser, main)
