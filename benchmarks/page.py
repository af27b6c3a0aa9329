"""Making and opening the page of two years of thirty series in Chromium: `python -m benchmarks.page`."""

import os
import shutil
import statistics
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, sync_playwright

from stbuild.report.page import write_page
from tests.report.made import make_history

OPEN_S, ROUNDS = 1.0, 5


def opened(browser: Browser, page: Path) -> float:
    """Seconds until a new tab has loaded the page and drawn it."""
    tab = browser.new_page()
    began = time.perf_counter()
    tab.goto(page.as_uri(), wait_until="load")
    tab.screenshot()
    spent = time.perf_counter() - began
    tab.close()
    return spent


def main() -> None:
    """Print both times, measured on this machine, beside the limit of opening."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("chromium is not installed: apt-get install chromium")
    print(f"load of this machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    with TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        make_history(folder)
        began = time.perf_counter()
        page = write_page(folder, folder)
        print(f"made in {time.perf_counter() - began:.1f} s, {page.stat().st_size / 1e6:.2f} MB")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        seconds = statistics.median(opened(browser, page) for _ in range(ROUNDS))
        browser.close()
    print(f"opened in {seconds:.2f} s, median of {ROUNDS} (at most {OPEN_S:g}): {seconds / OPEN_S:.2f} of it")


if __name__ == "__main__":
    main()
