"""The step of the rule `datasheet`: figures and notes in, a page of text out."""

from pathlib import Path

from stbuild.errors import StbuildError
from stbuild.step import F, Step, arg, main, out


class Datasheet(Step[F]):
    """Write a page about a card."""

    title: str = arg("what stands above the figures")
    card: str = arg("the card's name")
    clock_mhz: int = arg("the clock of its kernels")
    notes: tuple[F, ...] = arg("a text that stands below them", default=())
    sheet: F = out("the page")

    def run(self: "Datasheet[Path]") -> None:
        lines = [self.title, f"card: {self.card}", f"clock_mhz: {self.clock_mhz}"]
        for note in self.notes:
            try:
                lines += ["", note.read_text().strip()]
            except UnicodeDecodeError:
                raise StbuildError("this note is not text", where=str(note)) from None
        self.sheet.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(Datasheet)
