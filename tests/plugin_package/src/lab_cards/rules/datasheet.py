"""A page of text about the card that is built for."""

from dataclasses import dataclass

from lab_cards.steps import datasheet as step

from stbuild.api import Context, File, FilesInfo, rule


@dataclass(frozen=True, kw_only=True)
class Datasheet:
    """`title` stands above the figures, the text files `notes` below them."""

    title: str = "Datasheet"
    notes: tuple[File, ...] = ()


@rule
def datasheet(ctx: Context[Datasheet]) -> FilesInfo:
    """Write `<name>/datasheet.txt`; `stbuild run` prints it."""
    title, notes = ctx.attrs.title, ctx.attrs.notes
    if not title:
        ctx.fail("a datasheet needs a title", attribute="title")
    sheet, card = ctx.output("datasheet.txt"), ctx.platform
    clock_mhz = card.clocks.target_mhz
    ctx.step(step.Datasheet(title=title, card=card.title, clock_mhz=clock_mhz, notes=notes, sheet=sheet))
    ctx.runnable(("cat", sheet))
    return FilesInfo(files=(sheet,))
