"""The text side of a bundle: tokenizer, special tokens and chat template, as far as it has them."""

from dataclasses import dataclass

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
                "a conversation needs a chat template, and this bundle has none",
                hint=f"put {CHAT_TEMPLATE} beside {TOKENIZER}, or use --prompt with --raw",
            )
        return self.template

    def prompt(self, text: str, *, raw: bool) -> tuple[int, ...]:
        """The ids of one question; `raw`, or a bundle without template, leaves the text as it is."""
        if raw or self.template is None:
            return self.tokenizer.encode(text, special=True)
        return self.conversation((Message(role="user", content=text),))


def load_text_side(bundle: Bundle, system: str | None = None) -> TextSide:
    """The text side of `bundle`; `system` takes the place of the bundle's own system message.

    A StbuildError says what is missing for text.
    """
    path = bundle.text_file(TOKENIZER)
    if path is None:
        raise StbuildError(
            "text needs a tokenizer, and this bundle has none",
            where=str(bundle.path),
            hint=f'build with weights that have a {TOKENIZER}, or give token ids: --tokens "1 2 3"',
        )
    config = bundle.text_file(TOKENIZER_CONFIG)
    special = read_special_tokens(config)
    file = bundle.text_file(CHAT_TEMPLATE)
    text = file.read_text(encoding="utf-8") if file is not None else read_chat_template(config)
    template = ChatTemplate(text, special, str(file or config)) if text is not None else None
    message = bundle.manifest.model.system if system is None else system
    return TextSide(tokenizer=Tokenizer(path), template=template, system=message)
