"""Pictures of a page as a phone, a laptop and a large screen show it, light and dark, as it prints, and of its first plots.

usage: pictures.py PAGE.html FOLDER
"""

import sys
from pathlib import Path

from browser import chromium, open_page

WIDTHS = (400, 900, 1600)
PLOTS_WIDTH = 1240


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: scripts/page_pictures.sh PAGE.html FOLDER")
    page_path, folder = Path(sys.argv[1]), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    with chromium() as browser:
        for scheme in ("light", "dark"):
            for width in WIDTHS:
                page = open_page(browser, page_path, width, scheme)
                path = folder / f"{page_path.stem}-{width}-{scheme}.png"
                page.screenshot(path=path, full_page=True)
                print(path)
                page.close()
        page = open_page(browser, page_path, PLOTS_WIDTH)
        plots = page.query_selector(".figures")
        if plots:
            path = folder / f"{page_path.stem}-plots.png"
            plots.screenshot(path=path)
            print(path)
        path = folder / f"{page_path.stem}.pdf"
        page.pdf(path=path, format="A4")
        print(path)


main()
