"""What `stbuild run` does with a bundle: answer a prompt, hold a conversation, or continue token ids."""

import argparse
from pathlib import Path
from typing import NoReturn

from stbuild.errors import StbuildError
from stbuild.runtime.accelerator import Accelerator
from stbuild.runtime.answer import DEFAULT_TOKENS, Limits
from stbuild.runtime.devices.opening import NATIVE, check_name
from stbuild.runtime.lines import lines
from stbuild.runtime.sampling import Sampling
from stbuild.runtime.talk import COMMANDS, converse, show

EXAMPLES = """examples:
  --prompt "What is the capital of France?"    one answer, streamed as it is made
  --chat --temperature 0.7 --top-p 0.9         a conversation; Ctrl-C stops an answer, /help lists commands
  --tokens "1 450 7483 310" --max-tokens 4     token ids in, token ids out; needs no tokenizer
"""


class _Parser(argparse.ArgumentParser):
    """Tells a wrong argument as a StbuildError."""

    def error(self, message: str) -> NoReturn:
        raise StbuildError(message, hint="`-- --help` shows all options")


def run(bundle: Path, argv: list[str]) -> int:
    """Run the bundle in the folder `bundle` with the arguments that stand behind its label."""
    options = parse(argv)
    sampling = sampling_of(options)
    with Accelerator.open(bundle, options.device) as accelerator:
        if options.tokens is not None:
            ids = accelerator.generate_ids(options.tokens, max_tokens=options.max_tokens, sampling=sampling)
            show(accelerator, ids)
        elif options.chat:
            with accelerator.chat(
                max_tokens=options.max_tokens, sampling=sampling, system=options.system
            ) as chat:
                converse(accelerator, chat, lines(tuple(COMMANDS)))
        else:
            text = accelerator.generate(
                options.prompt,
                max_tokens=options.max_tokens,
                sampling=sampling,
                system=options.system,
                raw=options.raw,
            )
            show(accelerator, text)
    return 0


def parse(argv: list[str]) -> argparse.Namespace:
    """The arguments that stand behind a bundle's label; a wrong one is a StbuildError."""
    options = _parser().parse_args(argv)
    sampling_of(options)
    Limits(max_tokens=options.max_tokens)
    check_name(options.device)
    if options.tokens is not None:
        options.tokens = _token_ids(options.tokens)
    return options


def sampling_of(options: argparse.Namespace) -> Sampling:
    """How tokens are drawn."""
    return Sampling(
        temperature=options.temperature, top_k=options.top_k, top_p=options.top_p, seed=options.seed
    )


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
        "--device",
        default=NATIVE,
        metavar="NAME",
        help="what to run it on: native (default), xrt:0 or xrt:<bus:device.function>; see `stbuild devices`",
    )
    add("--system", metavar="TEXT", help="system message (default: the project's; '': the chat template's)")
    add("--raw", action="store_true", help="with --prompt: use TEXT as it is, without the chat template")
    limit = f"generate at most N tokens ({DEFAULT_TOKENS})"
    add("--max-tokens", type=int, default=DEFAULT_TOKENS, metavar="N", help=limit)
    _add_sampling(parser)
    return parser


def _add_sampling(parser: argparse.ArgumentParser) -> None:
    greedy = Sampling()
    about = "of sampling; 0 (default) takes the likeliest token"
    parser.add_argument("--temperature", type=float, default=greedy.temperature, metavar="T", help=about)
    about = "draw among the K likeliest tokens; 0 (default): among all"
    parser.add_argument("--top-k", type=int, default=greedy.top_k, metavar="K", help=about)
    about = "draw among the likeliest tokens whose chances add up to P; 1 (default): among all"
    parser.add_argument("--top-p", type=float, default=greedy.top_p, metavar="P", help=about)
    about = "seed of sampling; the same seed gives the same text"
    parser.add_argument("--seed", type=int, default=greedy.seed, metavar="N", help=about)


def _token_ids(text: str) -> tuple[int, ...]:
    words = text.replace(",", " ").split()
    for word in words:
        if not word.lstrip("-").isdecimal():
            raise StbuildError(f"{word!r} is not a token id", hint='give whole numbers: --tokens "1 2 3"')
    return tuple(int(word) for word in words)
