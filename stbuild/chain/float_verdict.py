"""Judges a float run: when a gate is missed, runs it again to name the first op that differs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from stbuild.chain.float_run import FloatRun, Outcome
from stbuild.errors import StbuildError
from stbuild.ir.op import Op
from stbuild.reference.agreement import MAX_OWN_ERROR, MIN_COSINE, Agreement, OwnError
from stbuild.reference.first_difference import (
    GraphValues,
    ModelValues,
    OpValue,
    errors_by_prompt,
    relative_error,
)

MAX_ERROR = 1e-4
"""Of a token's logits: the graph in float32 against the model in float32."""
MAX_EPS_ERROR = 5e-3
"""Of a norm whose eps stands for another formula."""
_MODEL_HINT = (
    "the model depends on more than its export shows, such as the number of tokens, or stbuild is wrong"
)
_FORMATS_HINT = (
    "the values do not suit the number formats; `stbuild run PROJECT:formats` proposes other fraction bits"
)
_SUM_HINT = "no number format is at fault: this model does not bear activations of 8 bits"
_TOP = "the model's own forward"


def _own(wrong: OwnError) -> str:
    if wrong.error > MAX_OWN_ERROR:
        return f"from exact operands its integers are {wrong.error:.0%} away from its floats"
    return (
        f"its integers are {wrong.inherited:.0%} away from its floats, of which {wrong.error:.0%} come from"
        " itself and the rest from the values that it reads"
    )


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """`lines` has the model's source line of each op, by `block/value`."""

    run: FloatRun
    lines: Mapping[str, str]

    def judge(self, agreement: Agreement, outcome: Outcome) -> None:
        """Raise StbuildError if a gate is missed."""
        if not relative_error(outcome.graph, outcome.module) <= MAX_ERROR:
            raise self._another_model(outcome)
        for place, share in agreement.eps.items():
            if share > MAX_EPS_ERROR:
                raise self._stream(
                    place, f"its eps stands for another formula, {share:.1%} away", _MODEL_HINT
                )
        if agreement.least_similar.cosine < MIN_COSINE:
            raise self._other_integers(agreement)
        wrong = agreement.first_wrong
        if wrong.error > MAX_OWN_ERROR:
            raise self._stream((wrong.block, wrong.op.name), _own(wrong), _FORMATS_HINT)
        for place, sentence in agreement.overruns():
            raise self._stream(place, sentence, _FORMATS_HINT)

    def _another_model(self, outcome: Outcome) -> StbuildError:
        sizes = tuple(len(prompt.ids) for prompt in self.run.prompts)
        errors = errors_by_prompt(outcome.graph, outcome.module, sizes)
        wrong = [i for i, error in enumerate(errors) if not error <= MAX_ERROR]
        shown = [i for i in wrong if self.run.model().takes_at_once(sizes[i])]
        number = (shown or wrong)[0]
        what = (
            f"the graph is not the model: the logits of {sizes[number]} tokens from position"
            f" {self.run.prompts[number].start} on differ by {errors[number]:.2g} of their size in floats"
            f" ({MAX_ERROR:g} is allowed)"
        )
        differing = self._first_difference(number, sizes) if shown else None
        if differing is None:
            return StbuildError(what, hint=_MODEL_HINT, exit_code=1)
        return self._at_op(what, differing.block, differing.op, differing.run, _MODEL_HINT)

    def _first_difference(self, number: int, sizes: tuple[int, ...]) -> OpValue | None:
        """The first op of prompt `number` whose value no operator of the model makes."""
        graph, model = GraphValues(prompt=number, sizes=sizes), self._model_values(sizes[number])
        replace(self.run, forked=False).run(graph, model.add, shown=number)  # torch has had threads by now
        return graph.first_difference(model)

    def _model_values(self, tokens: int) -> ModelValues:
        widths = frozenset(op.width for block in self.run.graph.blocks for op in block.ops)
        return ModelValues(tokens=tokens, widths=widths)

    def _other_integers(self, agreement: Agreement) -> StbuildError:
        worst, wrong = agreement.least_similar, agreement.first_wrong
        what = (
            f"the card's integers are not near the floats: cosine {worst.cosine:.3f} of {worst.value!r}"
            f" in run {worst.run} of block {worst.block!r} ({MIN_COSINE:g} is wanted)"
        )
        hint = _FORMATS_HINT if wrong.error > MAX_OWN_ERROR else _SUM_HINT
        return self._at_op(what, wrong.block, wrong.op, wrong.run, hint, f": {_own(wrong)}")

    def _at_op(self, what: str, block: str, op: Op, number: int, hint: str, how: str = "") -> StbuildError:
        module = op.origin.replace("*", str(number)) or _TOP
        return StbuildError(
            f"{what}; the first op that differs is {type(op).__name__} {op.name!r} in {module}{how}",
            where=self.lines.get(f"{block}/{op.name}"),
            hint=hint,
            exit_code=1,
        )

    def _stream(self, place: tuple[str, str], sentence: str, hint: str) -> StbuildError:
        block, value = place
        op = next(b.op(value) for b in self.run.graph.blocks if b.name == block)
        return StbuildError(
            f"{type(op).__name__} {value!r} in {op.origin or _TOP}: {sentence}",
            where=self.lines.get(f"{block}/{value}"),
            hint=hint,
            exit_code=1,
        )
