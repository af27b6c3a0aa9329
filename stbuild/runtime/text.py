"""The text side of a bundle: tokenizer, special tokens and chat template, as far as it has them."""

from dataclasses import dataclass
from pathlib import Path

from stbuild.errors import StbuildError
from stbuild.package.bundle import CHAT_TEMPLATE, TOKENIZER, TOKENIZER_CONFIG, Bundle
from stbuild.runtime.chat import ChatTemplate, Message
from stbuild.runtime.tokenizer import Tokenizer, read_chat_template, read_special_tokens


@dataclass(frozen=True, kw_only=True)
class TextSide:
    """What turns a person's words into token ids and back."""

    tokenizer: Tokenizer
    template: ChatTemplate | None
    system: str = ""

    def conversation(self, messages: tuple[Message, ...]) -> tuple[int, ...]:
        """The ids of a conversation, framed by the chat template."""
        first = (Message(role="system", content=self.system),) if self.system else ()
        return self.tokenizer.encode(self.frame().render((*first, *messages)), special=False)

    def frame(self) -> ChatTemplate:
        """The chat template, which a conversation needs."""
        if self.template is None:
            raise StbuildError(
                f"a {'system message' if self.system else 'conversation'} needs a chat template,"
                " and this bundle has none",
                hint=f"put {CHAT_TEMPLATE} beside {TOKENIZER}, or use --prompt with --raw",
            )
        return self.template

    def prompt(self, text: str, *, raw: bool) -> tuple[int, ...]:
        """The ids of one question; `raw`, or a bundle without template, leaves the text as it is."""
        if raw or (self.template is None and not self.system):
            return self.tokenizer.encode(text, special=True)
        return self.conversation((Message(role="user", content=text),))


def load_text_side(bundle: Bundle, system: str | None = None) -> TextSide:
    """The text side of `bundle`; `system` takes the place of the bundle's own system message.

    A StbuildError says what is missing for text.
    """
    if bundle.text_file(TOKENIZER) is None:
        raise StbuildError(
            "text needs a tokenizer, and this bundle has none",
            where=str(bundle.path),
            hint=f'build with weights that have a {TOKENIZER}, or give token ids: --tokens "1 2 3"',
        )
    return read_text_side(bundle.path, bundle.manifest.model.system if system is None else system)


def read_text_side(folder: Path, system: str = "") -> TextSide:
    """The text side of a folder that has a tokenizer; a file of it that cannot be used is a StbuildError."""
    config, file = folder / TOKENIZER_CONFIG, folder / CHAT_TEMPLATE
    special = read_special_tokens(config)
    text = file.read_text(encoding="utf-8") if file.is_file() else read_chat_template(config)
    where = str(file if file.is_file() else config)
    template = ChatTemplate(text, special, where) if text is not None else None
    return TextSide(tokenizer=Tokenizer(folder / TOKENIZER), template=template, system=system)
