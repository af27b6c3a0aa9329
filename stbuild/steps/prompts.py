"""Turns the smoke prompts into token ids and checks that they fit, before anything is compiled."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stbuild.errors import StbuildError
from stbuild.step import F, Step, arg, main, out

DEFAULT_TOKENS = 4
"""Ids of the prompt, from 0 on, of a project that gives none."""


@dataclass(frozen=True, kw_only=True)
class SmokePrompts:
    """Prompts as texts and as token ids, what follows each, and the message that conversations begin with."""

    texts: tuple[str, ...]
    tokens: tuple[tuple[int, ...], ...]
    new_tokens: int
    system: str


class Prompts(Step[F]):
    """Turn smoke prompts into token ids."""

    graph: F = arg("the tensor graph as traced")
    tokenizer: F = arg("folder of tokenizer files")
    wanted: SmokePrompts = arg("prompts, number of new tokens and system message")
    prompts: F = out("token ids, and the number of new tokens")

    def run(self: "Prompts[Path]") -> None:
        from stbuild.ops.files import read_graph

        graph = read_graph(self.graph)
        prompts = prompt_ids(self.wanted, self.tokenizer, graph.vocab_size, graph.context)
        data = {"prompts": prompts, "new_tokens": self.wanted.new_tokens}
        self.prompts.write_text(json.dumps(data) + "\n")


def prompt_ids(wanted: SmokePrompts, tokenizer: Path, vocab_size: int, context: int) -> list[list[int]]:
    """The ids of the texts and token prompts of `wanted`, or a default; one that does not fit is refused."""
    room = context - wanted.new_tokens + 1
    prompts = [(text, ids) for text, ids in _all(wanted, tokenizer)]
    for text, ids in prompts:
        _check(text, ids, vocab_size, room, wanted.new_tokens, context)
    return [ids for _, ids in prompts] or [list(range(min(DEFAULT_TOKENS, vocab_size, room)))]


def _all(wanted: SmokePrompts, tokenizer: Path) -> Iterator[tuple[str, list[int]]]:
    from stbuild.package.bundle import CHAT_TEMPLATE, TOKENIZER
    from stbuild.runtime.text import read_text_side

    if wanted.texts:
        if not (tokenizer / TOKENIZER).is_file():
            raise StbuildError(
                "prompts need a tokenizer, and the weights bring none",
                hint=f"give weights with a {TOKENIZER}, or token ids in `token_prompts`",
            )
        side = read_text_side(tokenizer, wanted.system)
        if side.system and side.template is None:
            raise StbuildError(
                "a system message needs a chat template, and the weights bring none",
                hint=f"put {CHAT_TEMPLATE} beside {TOKENIZER}, or leave `system` out",
            )
        for text in wanted.texts:
            yield text, list(side.prompt(text, raw=False))
    for ids in wanted.tokens:
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
    main(Prompts)
