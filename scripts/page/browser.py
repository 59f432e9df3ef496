"""Debian's Chromium, without a window, with a page of brainquant's in it."""

import contextlib
import shutil

from playwright.sync_api import sync_playwright

DRAWN = "html[data-plots=drawn]"


@contextlib.contextmanager
def chromium():
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        raise SystemExit("error: no chromium; scripts/setup.sh installs it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


def open_page(browser, path, width=900, scheme="light"):
    """The page with all plots drawn; what its console said and what it requested are lists of their own."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.console_messages_seen = []
    page.requests_seen = []
    page.on("console", lambda message: page.console_messages_seen.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: page.console_messages_seen.append(f"error: {error}"))
    page.on("request", lambda request: page.requests_seen.append(request.url))
    page.goto(path.resolve().as_uri())
    page.wait_for_selector(DRAWN, state="attached", timeout=60_000)
    return page
