"""What the build tool shows of a failed step of Vitis: the line that matters, and what to do."""

from stbuild.toolchain.vitis.explain import explain

_LINE = 400


def explain_failure(text: str) -> tuple[str, str]:
    """The first real error in a log, and what it means and asks for; two empty texts where none is found."""
    found = explain(text)
    if not found.failed:
        return "", ""
    advice = f"{found.meaning}: {found.advice}" if found.meaning else ""
    return found.error[:_LINE], advice or (f"see {found.look_at}" if found.look_at else "")
