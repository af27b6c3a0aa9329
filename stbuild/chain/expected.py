"""The expected record: digests of the reference, teacher-forced over a device's tokens."""

from stbuild.chain.record import PromptTokens, Record, digest, hidden_key
from stbuild.ir.graph import Graph
from stbuild.reference.interpreter import OUTPUTS, Outcome, Reference


def expected_record(reference: Reference, seen: PromptTokens) -> Record:
    """The reference's record for the tokens of `seen`, all in one pass."""
    tokens = (*seen.prompt, *seen.tokens[:-1])
    outcome = reference.run(tokens, keep=(OUTPUTS,), all_logits=True)
    logits = outcome.logits[len(seen.prompt) - 1 :]
    return Record(
        prompt=seen.prompt,
        tokens=tuple(int(t) for t in logits.argmax(dim=1)),
        hidden=_hidden(reference.graph, outcome),
        logits=tuple(digest(row.numpy()) for row in logits),
    )


def _hidden(graph: Graph, outcome: Outcome) -> dict[str, tuple[tuple[str, ...], ...]]:
    """Digests [run][token] of what leaves the runs of looping blocks."""
    return {
        hidden_key(block.name, slot): tuple(
            tuple(digest(v.numpy()) for v in outcome.kept[(block.name, run, output)])
            for run in range(block.count)
        )
        for block in graph.blocks
        if block.count > 1
        for slot, output in enumerate(block.outputs)
    }
