"""Whether a page can be read: drawn without a word on the console or a request to anybody, no wider than a phone, legible
(axe-core's rules), usable by keyboard, and whole on paper.

usage: check_page.py PAGE.html [WIDTH...]     400, 900 and 1600 pixels unless given
"""

import sys
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from browser import chromium, open_page

LARGEST_BYTES = 2_000_000
WIDTHS = (400, 900, 1600)
PAPER_HEIGHT = 1000  # CSS pixels that A4 leaves between its margins


def problems_of(browser, path, widths):
    problems = []
    if path.stat().st_size > LARGEST_BYTES:
        problems.append(f"{path.stat().st_size} bytes, more than {LARGEST_BYTES}")
    for scheme in ("light", "dark"):
        for width in widths:
            page = open_page(browser, path, width, scheme)
            where = f"at {width} pixels, {scheme}: "
            problems += [where + problem for problem in problems_of_view(page, path, width)]
            page.close()
    problems += problems_by_keyboard(browser, path)
    problems += problems_on_paper(browser, path)
    problems += problems_without_script(browser, path)
    return problems


def problems_of_view(page, path, width):
    problems = [f"the console says {message}" for message in page.console_messages_seen]
    problems += [f"requests {url}" for url in page.requests_seen if url != path.resolve().as_uri()]
    found = page.evaluate("document.documentElement.scrollWidth")
    if found > width:
        problems.append(f"{found} pixels wide")
    for plot in page.query_selector_all(".plot"):
        marks = plot.query_selector_all("svg .mark-symbol path, svg .mark-line path, svg .mark-rect path")
        if not marks:
            problems.append(f"{plot.get_attribute('id')} shows nothing")
        # What a plot draws beyond its own edge is cut off.
        cut = plot.evaluate(
            """plot => {
              const svg = plot.querySelector('svg')?.getBoundingClientRect();
              if (!svg) return [];
              return [...plot.querySelectorAll('svg text')]
                .filter(text => text.textContent.trim() && getComputedStyle(text).opacity !== '0')
                .filter(text => { const box = text.getBoundingClientRect();
                                  return box.width > 0 && (box.right > svg.right + 1 || box.left < svg.left - 1); })
                .map(text => text.textContent);
            }"""
        )
        problems += [f"{plot.get_attribute('id')}: '{text}' is cut off" for text in cut]
    for violation in Axe().run(page).response["violations"]:
        problems.append(f"axe {violation['id']}: {violation['nodes'][0]['html'][:200]}")
    return problems


def problems_by_keyboard(browser, path):
    page = open_page(browser, path)
    problems = []
    page.keyboard.press("Tab")
    if page.evaluate("document.activeElement.className") != "skip":
        problems.append("the first Tab does not reach 'Skip to the results'")
    page.keyboard.press("Enter")
    if not page.url.endswith("#main"):
        problems.append("'Skip to the results' leads nowhere")
    opened = page.evaluate("document.querySelectorAll('details[open]').length")
    page.focus("figure > details > summary")
    page.keyboard.press("Enter")
    if page.evaluate("document.querySelectorAll('details[open]').length") != opened + 1:
        problems.append("Enter does not open a plot's numbers")
    page.close()
    return problems


def problems_on_paper(browser, path):
    page = open_page(browser, path, 720, "dark")
    page.emulate_media(media="print")
    problems = []
    for figure in page.query_selector_all("figure"):
        height, inside, name = figure.evaluate(
            "f => [f.getBoundingClientRect().height, getComputedStyle(f).breakInside, f.querySelector('h3').textContent]"
        )
        if inside != "avoid" or height > PAPER_HEIGHT:
            problems.append(f"printed, '{name}' can be torn apart: {height:.0f} pixels high")
    if not page.pdf(format="A4").startswith(b"%PDF"):
        problems.append("does not print")
    page.close()
    return problems


def problems_without_script(browser, path):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(path.resolve().as_uri())
    problems = []
    for figure in page.query_selector_all("figure"):
        if not figure.query_selector_all("tbody tr"):
            problems.append("a plot has no numbers behind it")
    if "JavaScript" not in page.inner_text("main"):
        problems.append("without JavaScript nothing says why there are no plots")
    context.close()
    return problems


def main():
    path, widths = Path(sys.argv[1]), [int(width) for width in sys.argv[2:]] or WIDTHS
    with chromium() as browser:
        problems = problems_of(browser, path, widths)
    for problem in dict.fromkeys(problems):
        print(f"{path}: {problem}")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
