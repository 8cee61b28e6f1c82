"""A headless Chromium for tests of pages; they are skipped with the reason where there is none."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

FOUND = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# Playwright's own list, whose place ours takes, and what lists suggestions below an address: a page of its own, which
# took longer to open than most of the tests' pages.
WITHOUT = (
    "AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "HttpsUpgrades",
    "HttpsFirstBalancedModeAutoEnable", "LensOverlay", "MediaRouter", "PaintHolding", "ThirdPartyStoragePartitioning",
    "AvoidCorsURLLoaderRestartOnRedirect", "OptimizationHints", "NetworkTimeServiceQuerying", "AimEnabled",
    "PreconnectToSearch", "WebUIOmniboxPopup", "WebUIOmniboxAimPopup", "WebUIOmniboxFullPopup",
)  # fmt: skip
# It asks for nothing by itself.
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", f"--disable-features={','.join(WITHOUT)}",
]  # fmt: skip

DESKTOP = {"viewport": {"width": 1280, "height": 860}}
# What Chromium says of a request that is answered with a no.
ANSWERED_NO = "Failed to load resource"

PLAYWRIGHT = importlib.util.find_spec("playwright")  # it is loaded where a browser is: most workers have none
needed = pytest.mark.skipif(
    FOUND is None or PLAYWRIGHT is None,
    reason="no Chromium or playwright found: install the package chromium to run the browser tests",
)


@contextmanager
def launched() -> Iterator[Any]:
    """The browser, while this lasts."""
    from playwright import sync_api

    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=FOUND, args=FLAGS)
        yield found
        found.close()


def watch(page: Any, own: tuple[str, ...], complaints: list[str], harmless: str | None = None) -> None:
    """Write down what a page says on its console, its errors, and what it asks of others than ``own``.

    Messages on the console that hold the words ``harmless`` do not count.
    """
    page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
    page.on("console", lambda said: (harmless and harmless in said.text) or complaints.append(f"console: {said.text}"))
    page.on("request", lambda one: one.url.startswith(own) or complaints.append(one.url))


@contextmanager
def opener(browser: Any, own: tuple[str, ...], harmless: str | None = None) -> Iterator[Callable[..., Any]]:
    """Opens addresses, each in a browser profile of its own; ``prepare`` is done with that before.

    At the end the pages may have asked nobody but ``own``, and complained of nothing: see ``watch``.
    """
    contexts: list[Any] = []
    complaints: list[str] = []

    def opened(address: str, prepare: Callable[[Any], None] = lambda _: None, **options: Any) -> Any:
        context = browser.new_context(**(DESKTOP | options))
        contexts.append(context)
        prepare(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        watch(page, own, complaints, harmless)
        page.goto(address)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def shown(page: Any) -> Any:
    """The web page, once what it shows is there."""
    page.locator("h1").wait_for()
    page.get_by_text("Loading …").wait_for(state="detached")
    return page
