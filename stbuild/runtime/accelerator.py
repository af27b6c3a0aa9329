"""A model on its device: answers prompts, holds conversations, continues token ids."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from stbuild.errors import StbuildError
from stbuild.package.bundle import Bundle, Provenance, load_bundle
from stbuild.runtime.answer import DEFAULT_TOKENS, Answer, Limits, Stream
from stbuild.runtime.conversation import Conversation, spoken
from stbuild.runtime.devices.device import Device
from stbuild.runtime.devices.lease import card_lease
from stbuild.runtime.devices.opening import NATIVE, open_device
from stbuild.runtime.generate import generate
from stbuild.runtime.sampling import GREEDY, Sampler, Sampling
from stbuild.runtime.session import Session
from stbuild.runtime.text import TextSide, load_text_side


@dataclass(frozen=True, kw_only=True)
class Report:
    """What is known of an accelerator; what only its build tells is empty for a bundle that was opened.

    `check` compares it with the reference, `floats` its graph with the model; `speed` says how fast its
    prompts were answered and where that was measured, `design` is the report of `partition`. `ran` and
    `cached` count the build's actions.
    """

    bundle: Path
    platform: str
    target: str
    weights: str
    context: int
    check: str = ""
    floats: str = ""
    speed: str = ""
    design: str = ""
    ran: int = 0
    cached: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        lines = {
            "platform": f"{self.platform} ({self.target})",
            "weights": self.weights,
            "context": f"{self.context:,} tokens",
            "check": self.check,
            "floats": self.floats,
            "speed": self.speed,
            "bundle": str(self.bundle),
        }
        return "\n".join(f"{name}: {text}" for name, text in lines.items() if text)


class Accelerator:
    """A bundle whose device is opened when it is first used.

    The device serves one request at a time: while a stream or a conversation is open, others are refused.
    Open the bundle again for a second device.
    """

    def __init__(self, bundle: Bundle, report: Report | None = None, device: str = NATIVE) -> None:
        self.bundle = bundle
        self._name = device
        self.report = report or report_of(bundle)
        self._device: Device | None = None
        self._lease = ExitStack()

    @classmethod
    def open(cls, folder: Path | str, device: str = NATIVE) -> Self:
        """The accelerator of a bundle that was built before, on a device by name, as in `open_device`."""
        return cls(load_bundle(Path(folder)), device=device)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        manifest = self.bundle.manifest
        return f"<Accelerator {manifest.name} for {manifest.platform} ({manifest.target})>"

    @property
    def device(self) -> Device:
        """The device with the bundle loaded; a card is leased, so that no night measures on it meanwhile."""
        if self._device is None:
            with ExitStack() as lease:
                lease.enter_context(card_lease(self.bundle, self._name))
                self._device = open_device(self.bundle, self._name)
                self._lease = lease.pop_all()
        return self._device

    def close(self) -> None:
        """Give the device back; the next request opens it again."""
        if self._device is not None:
            self._device.close()
            self._device = None
            self._lease.close()

    def run(
        self,
        prompt: str | Sequence[int],
        *,
        max_tokens: int = DEFAULT_TOKENS,
        sampling: Sampling = GREEDY,
        system: str | None = None,
        raw: bool = False,
    ) -> Answer:
        """The whole answer to a text or to token ids; the other arguments are those of `generate`."""
        if isinstance(prompt, str):
            text = self.generate(prompt, max_tokens=max_tokens, sampling=sampling, system=system, raw=raw)
            return text.rest()
        return self.generate_ids(prompt, max_tokens=max_tokens, sampling=sampling).rest()

    def generate(
        self,
        prompt: str,
        *,
        max_tokens: int = DEFAULT_TOKENS,
        sampling: Sampling = GREEDY,
        system: str | None = None,
        raw: bool = False,
    ) -> Stream[str]:
        """The answer to `prompt` as it is made, at most `max_tokens` long.

        The chat template frames the prompt unless it is `raw` or there is no template. `system` takes the
        place of the bundle's own system message; '' leaves it to the template.
        """
        side = self.text(system)
        answer = Answer()
        ids = self._answer(side.prompt(prompt, raw=raw), max_tokens, sampling, answer)
        return Stream(spoken(ids, side, answer), answer)

    def generate_ids(
        self, tokens: Sequence[int], *, max_tokens: int = DEFAULT_TOKENS, sampling: Sampling = GREEDY
    ) -> Stream[int]:
        """The ids that follow `tokens`, as they are made; needs no tokenizer."""
        answer = Answer()
        return Stream(self._answer(_ids(tokens), max_tokens, sampling, answer), answer)

    def chat(
        self,
        *,
        max_tokens: int = DEFAULT_TOKENS,
        sampling: Sampling = GREEDY,
        system: str | None = None,
    ) -> Conversation:
        """A conversation, which has the device until it is closed; each reply has at most `max_tokens`."""
        side, limits = self.text(system), self._limits(max_tokens)
        side.frame()
        session = Session(self.device, self.bundle.manifest.model)
        return Conversation(session, side, _sampler(sampling), limits)

    def text(self, system: str | None = None) -> TextSide:
        """Tokenizer and chat template; a StbuildError says what the bundle lacks for text."""
        return load_text_side(self.bundle, system)

    def _answer(
        self, prompt: Sequence[int], max_tokens: int, sampling: Sampling, answer: Answer
    ) -> Iterator[int]:
        limits = self._limits(max_tokens)
        sampler = _sampler(sampling)

        def tokens() -> Iterator[int]:
            with Session(self.device, self.bundle.manifest.model) as session:
                yield from generate(session, prompt, sampler, limits, answer)

        return tokens()

    def _limits(self, max_tokens: int) -> Limits:
        if type(max_tokens) is not int:
            raise StbuildError(f"`max_tokens` is a number of tokens, got {max_tokens!r}")
        return Limits(max_tokens=max_tokens, stop_tokens=self.bundle.manifest.model.stop_tokens)


def report_of(bundle: Bundle) -> Report:
    """What a bundle tells of itself."""
    manifest = bundle.manifest
    model = manifest.model
    synthetic = model.weights is Provenance.SYNTHETIC and "synthetic" not in model.weights_source
    return Report(
        bundle=bundle.path,
        platform=manifest.platform,
        target=manifest.target,
        weights=f"synthetic, {model.weights_source}" if synthetic else model.weights_source,
        context=model.context,
    )


def _sampler(sampling: Sampling) -> Sampler:
    if not isinstance(sampling, Sampling):
        hint = "write Sampling(temperature=0.7)"
        raise StbuildError(f"`sampling` is a Sampling, got {type(sampling).__name__}", hint=hint)
    return Sampler(sampling)


def _ids(tokens: Sequence[int]) -> tuple[int, ...]:
    try:
        return tuple(int(token) for token in tokens)
    except (TypeError, ValueError, RuntimeError):
        hint = "of a batch from a tokenizer, take the first row: ids[0]"
        raise StbuildError("a prompt is a text or a list of token ids", hint=hint) from None
