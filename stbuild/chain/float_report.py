"""Runs the float check on a build's files and reports the result."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from tokenizers import Tokenizer

from stbuild.chain.float_run import FloatRun, Outcome, float_run, lazy_model
from stbuild.chain.float_verdict import MAX_ERROR, Verdict
from stbuild.frontend.checkpoint import open_checkpoint
from stbuild.frontend.runnable import LAST_TOKENS, PREFILL_TOKENS
from stbuild.frontend.tables import read_tables
from stbuild.frontend.tokenizer_files import TOKENIZER_FILE
from stbuild.ir.graph import Graph
from stbuild.reference.agreement import MAX_SATURATED, MAX_VANISHED, MIN_COSINE, Agreement
from stbuild.reference.first_difference import relative_error

TEXT = (
    "The capital of France is Paris, and the capital of Italy is Rome. Both cities lie on a river and are"
    " known for their museums, their food and their old churches."
)


class RunFiles(Protocol):
    """The files that a float run is made of, as the steps name them."""

    @property
    def model(self) -> Path: ...
    @property
    def merge_lora(self) -> bool: ...
    @property
    def source(self) -> Path | None: ...
    @property
    def options(self) -> Path: ...
    @property
    def tables(self) -> Path: ...
    @property
    def tokenizer(self) -> Path: ...


def load_run(files: RunFiles, graph: Graph) -> FloatRun:
    """A run of `graph` with the model, the weights and the tables in `files`."""
    weights = open_checkpoint(graph, files.source, files.options)
    tables, text = read_tables(files.tables), text_ids(files.tokenizer)
    model = lazy_model(files.model, graph.context, lora_merged=files.merge_lora)
    last = PREFILL_TOKENS if files.model.is_dir() else LAST_TOKENS
    return float_run(model, graph, weights, tables, text, last_tokens=last, forked=True)


def text_ids(folder: Path) -> tuple[int, ...]:
    """The ids of a text, if there is a tokenizer: trained weights are near their floats on language only."""
    path = folder / TOKENIZER_FILE
    return tuple(Tokenizer.from_file(str(path)).encode(TEXT).ids) if path.is_file() else ()


def checked(run: FloatRun, lines: dict[str, str]) -> tuple[Agreement, Outcome]:
    """What was found; raises StbuildError with the first op that differs when a gate is missed."""
    agreement = Agreement()
    outcome = run.run(agreement)
    Verdict(run=run, lines=lines).judge(agreement, outcome)
    return agreement, outcome


def closing_line(run: FloatRun, agreement: Agreement, outcome: Outcome) -> str:
    """One line of what holds."""
    long, short = run.prompts
    total = agreement.total()
    error = relative_error(outcome.graph, outcome.module)
    eps = max(agreement.eps.values(), default=0.0)
    return (
        f"the graph is the model within {error:.0e} ({len(long.ids)} tokens from position 0, {len(short.ids)}"
        f" from {short.start}), its integers are near at cosine {agreement.least_similar.cosine:.4f} or more;"
        f" of {total.values:,} values {total.saturated:,} saturate, {total.vanished:,} vanish"
        + (f"; eps of {len(agreement.eps)} norms replaced, {eps:.2%} away" if agreement.eps else "")
    )


def report(run: FloatRun, agreement: Agreement, outcome: Outcome) -> Iterator[str]:
    """All figures, stream by stream."""
    yield closing_line(run, agreement, outcome)
    yield f"\ngates: relative error {MAX_ERROR:g}, cosine {MIN_COSINE:g}; of a stream {MAX_SATURATED:.1%}"
    yield f"saturated, {MAX_VANISHED:.0%} vanished (0, but more than 1/1024 of the vector's root mean square)"
    yield "\nblock, run, value: mean cosine of the tokens"
    for near in agreement.near:
        yield f"  {near.block} {near.run} {near.value}: {near.cosine:.5f}"
    yield "\nstream: values, saturated, vanished"
    for (block, value), counts in agreement.counts.items():
        yield f"  {block} {value}: {counts.values:,}, {counts.saturated:,}, {counts.vanished:,}"
    for (block, value), share in agreement.eps.items():
        yield f"\n{block} {value}: eps stands for another formula, {share:.3%} away"
