"""Where in a model an operator stands, for messages."""

from dataclasses import dataclass

from stbuild.errors import StbuildError


@dataclass(frozen=True, kw_only=True)
class SourceLocation:
    """An operator, the path of its module, and its line as `file:line`."""

    operator: str = ""
    module: str = ""
    line: str | None = None

    def error(self, why: str, hint: str | None = None) -> StbuildError:
        """A refusal that names the operator, the module and the model's source line."""
        at = f" in {self.module}" if self.module else ""
        return StbuildError(f"{self.operator}{at}: {why}", where=self.line, hint=hint)
