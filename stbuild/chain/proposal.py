"""Proposes fraction bits, from the weights, for a model whose values the default ones do not hold."""

from collections.abc import Iterator
from dataclasses import replace

from stbuild.chain.float_report import RunFiles, checked, closing_line, load_run
from stbuild.chain.float_run import FloatRun
from stbuild.errors import StbuildError
from stbuild.ir.formats import USUAL, Formats, formats_text
from stbuild.ir.graph import Graph
from stbuild.passes.numerics import FixNumerics, free_values
from stbuild.passes.residual import residual_values
from stbuild.reference.ranges import Ranges


def checked_proposal(files: RunFiles, graph: Graph, lines: dict[str, str]) -> tuple[Formats, str]:
    """Fraction bits for `graph`, as traced, and the check's result with them; StbuildError if it fails."""
    formats = proposed(graph, _run_of(files, FixNumerics()(graph)))
    run = _run_of(files, FixNumerics(formats=formats)(graph))
    try:
        agreement, outcome = checked(run, lines)
    except StbuildError as error:
        text = " ".join(formats_text(formats).split())
        raise StbuildError(
            f"with the fraction bits {text} that fit best, {error.message}", where=error.where, exit_code=1
        ) from error
    return formats, closing_line(run, agreement, outcome)


def proposed(graph: Graph, run: FloatRun) -> Formats:
    """Fraction bits for `graph`, as traced, by what `run` of it with the usual ones shows."""
    ranges = Ranges(graph=graph)
    run.run(ranges)
    carried = {f"{block.name}/{name}" for block in graph.blocks[:-1] for name in residual_values(block)}
    return ranges.proposal(run.weights, free_values(graph), carried)


def _run_of(files: RunFiles, graph: Graph) -> FloatRun:
    """A run in this process: OpenMP has threads here after the first, and a fork does not survive that."""
    return replace(load_run(files, graph), forked=False)


def said(formats: Formats) -> Iterator[str]:
    """The proposal as text."""
    if formats == USUAL:
        yield "the usual fraction bits hold this model"
    if formats.residual != USUAL.residual:
        yield f"{formats.residual} fraction bits for the residual stream, {USUAL.residual} are usual"
    for what, bits in (("values", formats.values), ("parameters", formats.parameters)):
        if bits:
            yield f"other fraction bits for {len(bits)} {what}"
