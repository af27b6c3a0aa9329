"""The accuracy of the integers against floats: KL divergence, top-1 agreement, perplexity."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

Logits = Callable[[Sequence[int]], Tensor]
"""From the tokens of a window to float logits [T, vocabulary] for each of them."""

MAX_KL = 0.01
MIN_TOP1 = 0.94
MAX_PERPLEXITY_CHANGE = 0.02


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """Means over `tokens` positions, all teacher-forced; `top1` is a fraction of 1."""

    tokens: int
    kl: float
    top1: float
    perplexity: float
    float_perplexity: float

    @property
    def perplexity_change(self) -> float:
        """0.01 for a perplexity 1 % above that of the floats."""
        return self.perplexity / self.float_perplexity - 1

    @property
    def holds(self) -> bool:
        """Whether all three gates are met."""
        change_holds = self.perplexity_change <= MAX_PERPLEXITY_CHANGE
        return self.kl <= MAX_KL and self.top1 >= MIN_TOP1 and change_holds

    def line(self) -> str:
        """All of it in one line."""
        return (
            f"KL {self.kl:.4f}, top-1 {self.top1:.1%}, perplexity {self.perplexity_change:+.2%} against "
            f"float32 with the same weights, {self.tokens} tokens "
            f"(gates {MAX_KL}, {MIN_TOP1:.0%}, {MAX_PERPLEXITY_CHANGE:+.0%})"
        )

    def report(self) -> str:
        """One line a figure, with its gate."""
        return "\n".join((
            f"tokens       {self.tokens}",
            f"KL           {self.kl:.4f}  (gate {MAX_KL})",
            f"top-1        {self.top1:.1%}  (gate {MIN_TOP1:.0%})",
            f"perplexity   {self.perplexity:.2f}, floats {self.float_perplexity:.2f}, "
            f"change {self.perplexity_change:+.2%}  (gate {MAX_PERPLEXITY_CHANGE:+.0%})",
        ))  # fmt: skip


def measure(exact: Logits, floats: Logits, tokens: Sequence[int], window: int = 512) -> Accuracy:
    """Compare the two on `tokens`, cut into windows that each start with an empty cache.

    Perplexity counts the tokens that have one before them in their window. Windows that would hold
    a single token are left out.
    """
    starts = [i for i in range(0, len(tokens), window) if len(tokens) - i > 1]
    parts = [_compare(exact, floats, tokens[i : i + window]) for i in starts]
    seen, scored = sum(p.seen for p in parts), sum(p.seen - 1 for p in parts)
    return Accuracy(
        tokens=seen,
        kl=sum(p.kl for p in parts) / seen,
        top1=sum(p.agreed for p in parts) / seen,
        perplexity=math.exp(sum(p.loss for p in parts) / scored),
        float_perplexity=math.exp(sum(p.float_loss for p in parts) / scored),
    )


@dataclass(frozen=True, kw_only=True)
class _Window:
    """Sums over the tokens of one window."""

    seen: int
    kl: float
    agreed: int
    loss: float
    float_loss: float


def _compare(exact: Logits, floats: Logits, tokens: Sequence[int]) -> _Window:
    ours, theirs = (f(tokens).double().log_softmax(dim=1) for f in (exact, floats))
    return _Window(
        seen=len(tokens),
        kl=(theirs.exp() * (theirs - ours)).sum().item(),
        agreed=int((ours.argmax(dim=1) == theirs.argmax(dim=1)).sum()),
        loss=_loss(ours, tokens),
        float_loss=_loss(theirs, tokens),
    )


def _loss(log_probabilities: Tensor, tokens: Sequence[int]) -> float:
    following = log_probabilities.new_tensor(tokens[1:]).long()
    return -log_probabilities[:-1].gather(1, following[:, None]).sum().item()
