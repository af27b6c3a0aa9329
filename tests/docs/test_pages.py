"""What the documentation shows is what happens: its commands are run, its links are followed."""

import re
from pathlib import Path

import pytest

from tests.docs.session import CHECKOUT, pattern, run_page

PAGES = sorted((CHECKOUT / "docs").rglob("*.md")) + sorted(CHECKOUT.glob("*.md"))
PAGES += sorted((CHECKOUT / "projects").rglob("*.md")) + sorted((CHECKOUT / "benchmarks").glob("*.md"))
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


@pytest.mark.slow
@pytest.mark.parametrize("page", ["tutorial", "build-tool", "publishing"])
def test_the_commands_do_what_the_page_shows(page: str, tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    run_page(CHECKOUT / f"docs/{page}.md", workspace, tmp_path / "cache")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_relative_links_lead_somewhere(page: Path) -> None:
    links = [link for link in _LINK.findall(page.read_text()) if "://" not in link]
    dead = [link for link in links if not (page.parent / link).exists()]
    assert not dead


def test_every_page_of_the_documentation_is_linked() -> None:
    targets = {(page.parent / link).resolve() for page in PAGES for link in _LINK.findall(page.read_text())}
    lost = [page.name for page in PAGES if page.is_relative_to(CHECKOUT / "docs") and page not in targets]
    assert not lost


def test_every_folder_has_its_row_in_the_architecture() -> None:
    table = (CHECKOUT / "ARCHITECTURE.md").read_text()
    folders = {str(f.relative_to(CHECKOUT)) for f in (CHECKOUT / "stbuild").iterdir() if any(f.glob("*.py"))}
    assert [folder for folder in sorted(folders) if f"`{folder}" not in table] == []


def test_a_wrong_output_is_noticed(tmp_path: Path) -> None:
    page, workspace = tmp_path / "page.md", tmp_path / "workspace"
    workspace.mkdir()
    said = "$ cat a.txt\nhello\n…rl…\n$ cat a.txt\nhullo\n"
    page.write_text(f"```text a.txt\nhello\nworld\n```\n\n```console\n{said}```\n")
    with pytest.raises(AssertionError, match=r"page\.md:6: `cat a\.txt` prints\nhello"):
        run_page(page, workspace, tmp_path / "cache")
    assert (workspace / "a.txt").read_text() == "hello\nworld\n"


def test_an_ellipsis_stands_for_lines_or_for_a_part_of_one() -> None:
    shown = pattern("a\n…\nb … d\n")
    assert shown.fullmatch("a\nb c d\n")
    assert shown.fullmatch("a\nx\ny\nb 1 d\n")
    assert not shown.fullmatch("a\nb c\n")
    assert not shown.fullmatch("a\nx\n")
