"""The page of two years of thirty series, as a person sees it in Chromium."""

import io
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from stbuild.cli.main import run
from stbuild.errors import StbuildError
from stbuild.report.page import write_page
from tests.report.made import make_history

WIDE, NARROW = 1400, 390


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    make_history(folder)
    return write_page(folder, folder)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    opened = browser.new_page()
    yield opened
    opened.close()


def pixel(page: Page) -> int:
    """The brightness of the page's corner."""
    picture = Image.open(io.BytesIO(page.screenshot())).convert("L")
    value = picture.getpixel((2, 2))
    assert isinstance(value, int)
    return value


def test_it_asks_for_nothing_beside_itself(page: Page, written: Path) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(written.as_uri())
    assert asked == [written.as_uri()]
    assert not re.search(r"""(?:src|href)=["'](?:https?:)?//|@import|<script""", written.read_text())


def test_two_years_of_thirty_series_are_small(written: Path) -> None:
    assert written.stat().st_size < 2_000_000


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_the_screen_and_takes_its_colours(page: Page, written: Path, width: int, scheme: str) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(written.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert (pixel(page) > 200) == (scheme == "light")
    ink = page.evaluate("getComputedStyle(document.querySelector('svg text')).fill")
    assert (sum(map(int, re.findall(r"\d+", ink)[:3])) < 384) == (scheme == "light")
    size = page.evaluate(
        "(() => { const s = document.querySelector('.trend svg'); const t = s.querySelector('text');"
        " return parseFloat(getComputedStyle(t).fontSize) * s.getScreenCTM().a })()"
    )
    assert size >= 7  # the axes can be read


@pytest.mark.parametrize("width", [320, NARROW, 600, 730, 900, 1050])
def test_nothing_is_cut_at_any_width_with_all_that_can_be_opened(
    page: Page, written: Path, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(written.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
    page.evaluate("document.querySelector('td.figure').textContent = 'cycles@' + 'decode_'.repeat(9)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_matrix_links_to_trends_and_logs(page: Page, written: Path) -> None:
    page.goto(written.as_uri())
    assert page.locator(".matrix tbody tr").count() == 6
    assert page.locator(".matrix .strip").first.locator("span").count() == 30
    row = page.locator(".matrix tbody tr").nth(1)
    assert "wrong result" in row.inner_text()
    assert "prompt 0 differs at token 1 <&>" in row.inner_text()
    assert row.locator("a", has_text="log").get_attribute("href") == "./nights/00730/1.log"
    for link in page.locator("a[href^='#']").all():
        assert page.locator(link.get_attribute("href") or "").count() == 1


def test_a_slowdown_stands_beside_its_trend_with_its_commits(page: Page, written: Path) -> None:
    page.goto(written.as_uri())
    trend = page.locator(".trend", has=page.locator(".worse")).first
    text = trend.inner_text()
    assert "for the worse" in text
    assert re.search(r"between commits [0-9a-f]{12} and [0-9a-f]{12}", text)
    assert page.locator(".trend .worse").count() == 10  # five figures of two cells
    assert page.locator(".trend .better").count() == 0


def test_ids_are_unique(page: Page, written: Path) -> None:
    page.goto(written.as_uri())
    assert (
        page.evaluate(
            "(() => { const ids = [...document.querySelectorAll('[id]')].map(e => e.id);"
            " return ids.length - new Set(ids).size })()"
        )
        == 0
    )


def test_the_same_history_gives_the_same_page(written: Path) -> None:
    before = written.read_bytes()
    assert write_page(written.parent, written.parent).read_bytes() == before


def test_what_changed_since_the_last_good_night(page: Page, written: Path) -> None:
    page.goto(written.as_uri())
    text = page.locator("#since + p + ul").inner_text()
    assert "projects/gpt2_medium u55c sw_emu native: good to wrong result" in text
    assert "projects/smollm2_135m u55c sw_emu native: good to broken device" in text


def test_a_history_without_a_night_is_refused(tmp_path: Path) -> None:
    make_history(tmp_path, nights=0)
    with pytest.raises(StbuildError, match="the history has no night"):
        write_page(tmp_path, tmp_path)


def test_the_first_night_has_a_page(tmp_path: Path, page: Page) -> None:
    make_history(tmp_path, nights=1)
    page.goto(write_page(tmp_path, tmp_path).as_uri())
    assert "No night before this one was good." in page.locator("body").inner_text()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["report"], "there is no history at"),
        (["report", "nowhere"], "there is no history at nowhere/history.sqlite"),
        (["report", "--out", "no/such/page.html"], "--out: no/such/page.html cannot be a file there"),
    ],
)
def test_wrong_usage_is_a_sentence(
    words: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.stbuild]\n")
    monkeypatch.chdir(tmp_path)
    assert run(words) == 2
    assert sentence in capsys.readouterr().err
