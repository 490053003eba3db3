"""Take the README's screenshot of the live lattice: ``python docs/_figures/live_picture.py``.

Needs Playwright and an installed Chromium.
"""

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from ctckit.viz import write_live_page

OUT = Path(__file__).parents[1] / "images" / "live-lattice.png"


def main() -> None:
    """Write docs/images/live-lattice.png."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = write_live_page(Path(folder) / "lattice.html")
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1240, "height": 1400})
        page.goto(f"{path.as_uri()}#source=digits&step=16&target=35200")
        page.locator("main").wait_for()
        page.wait_for_timeout(500)
        page.screenshot(path=OUT)
        browser.close()


if __name__ == "__main__":
    main()
