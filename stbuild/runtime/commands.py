"""What `stbuild run` does with a bundle: answer a prompt, hold a conversation, or continue token ids."""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NoReturn

from stbuild.errors import StbuildError
from stbuild.package.bundle import Bundle, Provenance, load_bundle
from stbuild.runtime.chat import Message
from stbuild.runtime.devices.device import Device
from stbuild.runtime.devices.opening import NATIVE, check_name, open_device
from stbuild.runtime.generate import Answer, End, Limits, generate
from stbuild.runtime.sampling import Sampler, Sampling
from stbuild.runtime.session import Session
from stbuild.runtime.stream import TextStream
from stbuild.runtime.text import TextSide, load_text_side

DEFAULT_TOKENS = 256
EXAMPLES = """examples:
  --prompt "What is the capital of France?"    one answer, streamed as it is made
  --chat --temperature 0.7 --seed 3            a conversation; Ctrl-C stops an answer, an empty line ends it
  --tokens "1 450 7483 310" --max-tokens 4     token ids in, token ids out; needs no tokenizer
"""


class _Parser(argparse.ArgumentParser):
    """Tells a wrong argument as a StbuildError."""

    def error(self, message: str) -> NoReturn:
        raise StbuildError(message, hint="`-- --help` shows all options")


def run(bundle: Path, argv: list[str]) -> int:
    """Run the bundle in the folder `bundle` with the arguments that stand behind its label."""
    options = parse(argv)
    sampling = Sampling(temperature=options.temperature, seed=options.seed)
    loaded = load_bundle(bundle)
    with closing(open_device(loaded, options.device)) as device:
        talk = _Talk(loaded, device, Sampler(sampling), options.max_tokens)
        if options.tokens is not None:
            talk.continue_ids(options.tokens)
        elif options.chat:
            talk.chat(load_text_side(loaded, options.system), _lines())
        else:
            text = load_text_side(loaded, options.system)
            talk.answer(text, text.prompt(options.prompt, raw=options.raw))
    return 0


def parse(argv: list[str]) -> argparse.Namespace:
    """The arguments that stand behind a bundle's label; a wrong one is a StbuildError."""
    options = _parser().parse_args(argv)
    Sampling(temperature=options.temperature, seed=options.seed)
    check_name(options.device)
    if options.max_tokens < 1:
        raise StbuildError(f"--max-tokens must be 1 or more, got {options.max_tokens}")
    if options.tokens is not None:
        options.tokens = _token_ids(options.tokens)
    return options


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="stbuild run LABEL --",
        description="Run a model on its device: by default the emulated card, in this process.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--prompt", metavar="TEXT", help="answer TEXT, framed by the model's chat template")
    what.add_argument(
        "--chat", action="store_true", help="hold a conversation; each line of stdin is a message"
    )
    what.add_argument("--tokens", metavar="IDS", help="continue these token ids, and print ids")
    add = parser.add_argument
    add(
        "--max-tokens",
        type=int,
        default=DEFAULT_TOKENS,
        metavar="N",
        help=f"generate at most N tokens ({DEFAULT_TOKENS})",
    )
    add(
        "--temperature",
        type=float,
        default=0.0,
        metavar="T",
        help="of sampling; 0 (default) takes the likeliest token",
    )
    add(
        "--seed", type=int, default=0, metavar="N", help="seed of sampling; the same seed gives the same text"
    )
    add(
        "--device",
        default=NATIVE,
        metavar="NAME",
        help="what to run it on: native (default), xrt:0 or xrt:<bus:device.function>; see `stbuild devices`",
    )
    add("--system", metavar="TEXT", help="system message (default: the project's; '': the chat template's)")
    add("--raw", action="store_true", help="with --prompt: use TEXT as it is, without the chat template")
    return parser


def _token_ids(text: str) -> tuple[int, ...]:
    words = text.replace(",", " ").split()
    for word in words:
        if not word.lstrip("-").isdecimal():
            raise StbuildError(f"{word!r} is not a token id", hint='give whole numbers: --tokens "1 2 3"')
    return tuple(int(word) for word in words)


def _lines() -> Iterator[str]:
    """What the person types, up to an empty line or the end."""
    typed = sys.stdin.isatty()
    while True:
        if typed:
            print("> ", end="", file=sys.stderr, flush=True)
        try:
            line = sys.stdin.readline()
        except KeyboardInterrupt:
            print(file=sys.stderr)
            raise
        if typed and not line:
            print(file=sys.stderr)
        if not line.strip():
            return
        yield line.strip()


class _Talk:
    """A session with its sampler and limits, and how it shows what it does."""

    def __init__(self, bundle: Bundle, device: Device, sampler: Sampler, max_tokens: int) -> None:
        model = bundle.manifest.model
        self._device = device
        self._session = Session(device, model)
        self._sampler = sampler
        self._limits = Limits(max_tokens=max_tokens, stop_tokens=model.stop_tokens)
        self._synthetic = model.weights is Provenance.SYNTHETIC
        self._context = model.context

    def continue_ids(self, tokens: Sequence[int]) -> None:
        """Print the ids that follow `tokens`."""
        self._stream(tokens, lambda token: f"{token} ")

    def answer(self, text: TextSide, tokens: Sequence[int], *, stoppable: bool = False) -> str:
        """Stream the answer to `tokens` as text, and return it."""
        stream = TextStream(text.tokenizer)
        answer = self._stream(tokens, stream.feed, stream.finish, stoppable=stoppable)
        return text.tokenizer.decode(tuple(answer.tokens))

    def chat(self, text: TextSide, lines: Iterator[str]) -> None:
        """Answer line after line; what the device has seen before is not fed to it again.

        Ctrl-C stops an answer, not the conversation.
        """
        text.frame()
        messages: tuple[Message, ...] = ()
        for line in lines:
            asked = (*messages, Message(role="user", content=line))
            tokens = text.conversation(asked)
            if len(tokens) > self._context:
                self._leave_out(len(tokens))
                continue
            known = _common(tokens[:-1], self._session.history)
            self._session.rewind(known)
            reply = self.answer(text, tokens[known:], stoppable=True)
            messages = (*asked, Message(role="assistant", content=reply))

    def _stream(
        self,
        tokens: Sequence[int],
        show: Callable[[int], str],
        finish: Callable[[], str] = str,
        *,
        stoppable: bool = False,
    ) -> Answer:
        answer = Answer(prompt_tokens=len(tokens))
        try:
            for token in generate(self._session, tokens, self._sampler, self._limits, answer):
                sys.stdout.write(show(token))
                sys.stdout.flush()
        except KeyboardInterrupt:
            answer.end = End.STOPPED
            if not stoppable:
                print(flush=True)
                raise
        sys.stdout.write(finish() + "\n")
        sys.stdout.flush()
        self._report(answer)
        return answer

    def _leave_out(self, tokens: int) -> None:
        told = f"with this the conversation would have {tokens} tokens, the context holds {self._context}"
        print(f"[{told}: left out; ask something shorter, or end with an empty line]", file=sys.stderr)

    def _report(self, answer: Answer) -> None:
        print(f"[{speed(answer)}; measured, {self._device.description}]", file=sys.stderr)
        if answer.end is End.STOPPED:
            print("[stopped; an empty line ends the conversation]", file=sys.stderr)
        if answer.end is End.CONTEXT:
            print(f"[the context of {self._context} tokens is full]", file=sys.stderr)
        if self._synthetic:
            print("[the weights are synthetic: these tokens say nothing about the model]", file=sys.stderr)


def speed(answer: Answer) -> str:
    """How fast an answer was made, in words."""
    prompt = f"prompt of {answer.prompt_tokens} in {answer.prompt_seconds:.2f} s"
    count = len(answer.tokens)
    if not answer.tokens_per_second:
        return f"{count} token{'' if count == 1 else 's'}, {prompt}"
    return f"{count} tokens at {answer.tokens_per_second:.1f} tok/s, {prompt}"


def _common(left: Sequence[int], right: Sequence[int]) -> int:
    """How many tokens two sequences share at the front."""
    count = 0
    for a, b in zip(left, right, strict=False):
        if a != b:
            break
        count += 1
    return count
