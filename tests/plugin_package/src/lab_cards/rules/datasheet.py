"""A page of text about the card that is built for."""

from dataclasses import dataclass

from stbuild.api import Context, File, FilesInfo, rule


@dataclass(frozen=True, kw_only=True)
class Datasheet:
    """`title` stands above the figures, the text files `notes` below them."""

    title: str = "Datasheet"
    notes: tuple[File, ...] = ()


@rule
def datasheet(ctx: Context[Datasheet]) -> FilesInfo:
    """Write `<name>/datasheet.txt`; `stbuild run` prints it."""
    if not ctx.attrs.title:
        ctx.fail("a datasheet needs a title", attribute="title")
    sheet, card = ctx.output("datasheet.txt"), ctx.platform
    figures = {"card": card.title, "part": card.part, "clock_mhz": card.clocks.target_mhz}
    params = ctx.params("params.json", {"title": ctx.attrs.title, "figures": figures})
    ctx.stage("lab_cards.stages.datasheet", ("--params", params, "--out", sheet, *ctx.attrs.notes))
    ctx.runnable(("cat", sheet))
    return FilesInfo(files=(sheet,))
