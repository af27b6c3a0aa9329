"""Turns the smoke prompts into token ids and checks that they fit, before anything is compiled."""

import json
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stbuild.errors import StbuildError
from stbuild.ops.files import read_graph
from stbuild.package.bundle import CHAT_TEMPLATE, TOKENIZER
from stbuild.runtime.text import read_text_side
from stbuild.stage.entry import run_stage, stage_parser

DEFAULT_TOKENS = 4
"""Ids of the prompt, from 0 on, of a project that gives none."""


def main(args: Namespace) -> None:
    """Write the ids of every prompt, and how many tokens are to follow each."""
    graph = read_graph(Path(args.graph))
    wanted = json.loads(Path(args.wanted).read_text())
    prompts = prompt_ids(wanted, Path(args.tokenizer), graph.vocab_size, graph.context)
    data = {"prompts": prompts, "new_tokens": wanted["new_tokens"]}
    Path(args.prompts).write_text(json.dumps(data) + "\n")


def prompt_ids(wanted: dict[str, Any], tokenizer: Path, vocab_size: int, context: int) -> list[list[int]]:
    """The ids of the texts and token prompts of `wanted`, or a default; one that does not fit is refused."""
    room = context - wanted["new_tokens"] + 1
    prompts = [(text, ids) for text, ids in _all(wanted, tokenizer)]
    for text, ids in prompts:
        _check(text, ids, vocab_size, room, wanted["new_tokens"], context)
    return [ids for _, ids in prompts] or [list(range(min(DEFAULT_TOKENS, vocab_size, room)))]


def _all(wanted: dict[str, Any], tokenizer: Path) -> Iterator[tuple[str, list[int]]]:
    if wanted["texts"]:
        if not (tokenizer / TOKENIZER).is_file():
            raise StbuildError(
                "prompts need a tokenizer, and the weights bring none",
                hint=f"give weights with a {TOKENIZER}, or token ids in `token_prompts`",
            )
        side = read_text_side(tokenizer, wanted["system"])
        if side.system and side.template is None:
            raise StbuildError(
                "a system message needs a chat template, and the weights bring none",
                hint=f"put {CHAT_TEMPLATE} beside {TOKENIZER}, or leave `system` out",
            )
        for text in wanted["texts"]:
            yield text, list(side.prompt(text, raw=False))
    for ids in wanted["tokens"]:
        yield " ".join(map(str, ids)), list(ids)


def _check(text: str, ids: list[int], vocab_size: int, room: int, new_tokens: int, context: int) -> None:
    shown = repr(text if len(text) <= 40 else f"{text[:40]}…")
    if not ids:
        raise StbuildError(f"the prompt {shown} has no token")
    if len(ids) > room:
        raise StbuildError(
            f"the prompt {shown} has {len(ids)} tokens; with {new_tokens} new ones it does not fit a context"
            f" of {context}",
            hint="shorten the prompt, lower `new_tokens` or raise `context`",
        )
    foreign = [token for token in ids if token >= vocab_size]
    last = vocab_size - 1
    if foreign:
        raise StbuildError(
            f"the prompt {shown} has the token id {foreign[0]}, the model's vocabulary ends at {last}",
            hint="give other ids in `token_prompts`, or weights with the model's own tokenizer",
        )


if __name__ == "__main__":
    run_stage(
        stage_parser(
            "Turn smoke prompts into token ids.",
            graph="the traced graph",
            tokenizer="folder of tokenizer files",
            wanted="prompts, number of new tokens and system message",
            prompts="token ids to write",
        ),
        main,
    )
