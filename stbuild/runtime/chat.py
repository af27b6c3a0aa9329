"""A conversation as the model was trained to read it: the bundle's chat template, by jinja2."""

from dataclasses import asdict, dataclass

from stbuild.errors import StbuildError
from stbuild.runtime.tokenizer import SpecialTokens


@dataclass(frozen=True, kw_only=True)
class Message:
    """One turn; `role` is `system`, `user` or `assistant`."""

    role: str
    content: str


class ChatTemplate:
    """A Hugging Face chat template."""

    def __init__(self, text: str, special: SpecialTokens, where: str) -> None:
        from jinja2 import TemplateError
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        environment.globals["raise_exception"] = _refuse
        try:
            self._template = environment.from_string(text)
        except TemplateError as error:
            raise StbuildError(f"the chat template is broken: {error}", where=where) from error
        self._special = special
        self._where = where

    def render(self, messages: tuple[Message, ...]) -> str:
        """The conversation so far, up to where the assistant's next answer begins."""
        from jinja2 import TemplateError

        try:
            return self._template.render(
                messages=[asdict(message) for message in messages],
                add_generation_prompt=True,
                bos_token=self._special.bos or "",
                eos_token=self._special.eos or "",
            )
        except TemplateError as error:
            raise StbuildError(f"the chat template refuses: {error}", where=self._where) from error
        except Exception as error:  # a template may call anything on what it is given
            raise StbuildError(f"the chat template failed: {error}", where=self._where) from error


def _refuse(message: str) -> None:
    from jinja2 import TemplateError

    raise TemplateError(message)
