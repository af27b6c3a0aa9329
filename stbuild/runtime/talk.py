"""A conversation in a terminal or a pipe: answers go to standard output, remarks to standard error."""

import sys
from collections.abc import Iterator

from stbuild.errors import StbuildError, did_you_mean
from stbuild.package.bundle import Provenance
from stbuild.runtime.accelerator import Accelerator
from stbuild.runtime.answer import Answer, End, Stream
from stbuild.runtime.conversation import Conversation

COMMANDS = {
    "/reset": "forget the conversation; the system message stays",
    "/help": "this list",
    "/exit": "end the conversation, as Ctrl-D does",
}
HELP = "\n".join(
    [
        *(f"  {name:7} {text}" for name, text in COMMANDS.items()),
        "Ctrl-C stops an answer. A message that begins with / is typed with a space before it.",
    ]
)


def show(accelerator: Accelerator, stream: Stream[str] | Stream[int], *, stoppable: bool = False) -> Answer:
    """Write an answer to standard output as it is made, and what it took to standard error.

    Ctrl-C ends the answer, and the program too unless it is `stoppable`.
    """
    try:
        for piece in stream:
            sys.stdout.write(piece if isinstance(piece, str) else f"{piece} ")
            sys.stdout.flush()
    except KeyboardInterrupt:
        stream.close()
        stream.answer.end = End.STOPPED
        if not stoppable:
            print(flush=True)
            raise
    sys.stdout.write("\n")
    sys.stdout.flush()
    _remark(accelerator, stream.answer)
    return stream.answer


def converse(accelerator: Accelerator, chat: Conversation, lines: Iterator[str]) -> None:
    """Answer line after line until there is none, or `/exit`; empty ones are passed over."""
    for line in lines:
        if line.startswith("/"):
            if not _obeyed(line.strip(), chat):
                return
            continue
        if not line.strip():
            continue
        dropped = chat.dropped
        try:
            stream = chat.ask(line.strip())
        except StbuildError as error:
            _say(f"{error}: left out")
            continue
        show(accelerator, stream, stoppable=True)
        if chat.dropped > dropped:
            count = chat.dropped - dropped
            gone = "oldest turn was" if count == 1 else f"{count} oldest turns were"
            _say(f"the context of {accelerator.report.context} tokens was full: the {gone} dropped")


def _obeyed(line: str, chat: Conversation) -> bool:
    """Do what a command says; False when it ends the conversation."""
    match line:
        case "/exit":
            return False
        case "/help":
            print(HELP, file=sys.stderr)
        case "/reset":
            chat.reset()
            _say("the conversation begins anew")
        case _:
            _say(_refusal(line))
    return True


def _refusal(line: str) -> str:
    name, _, rest = line.partition(" ")
    if name in COMMANDS:
        return f"{name} stands alone, got {rest.strip()!r} behind it"
    return f"no command {name}: {did_you_mean(name, COMMANDS)} /help lists them"


def _remark(accelerator: Accelerator, answer: Answer) -> None:
    _say(f"{answer.speed}; measured, {accelerator.device.description}")
    if answer.end is End.STOPPED:
        _say("stopped; /exit or Ctrl-D ends the conversation")
    if answer.end is End.CONTEXT:
        _say(f"the context of {accelerator.report.context} tokens is full")
    if accelerator.bundle.manifest.model.weights is Provenance.SYNTHETIC:
        _say("the weights are synthetic: these tokens say nothing about the model")


def _say(remark: str) -> None:
    print(f"[{remark}]", file=sys.stderr)
