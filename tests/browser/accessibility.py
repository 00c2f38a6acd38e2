"""What does axe find wrong with a page?"""

from functools import cache
from pathlib import Path

import pytest
from playwright.sync_api import Page

_AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"

_FIND = """async (rules) => {
  // What is fading has not its own colours yet. A fade begins with a frame.
  await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
  await Promise.all(document.getAnimations().map((each) => each.finished.catch(() => null)));
  const { violations } = await axe.run(document, {
    resultTypes: ['violations'],
    ...(rules !== null && { runOnly: rules }),
  });
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${target.join(' ')}: ${failureSummary}`));
}"""


@cache
def _axe() -> str:
    if not _AXE.is_file():
        pytest.fail("axe-core is not installed; ./ua web installs what the dashboard needs")
    return _AXE.read_text(encoding="utf-8")


def violations(page: Page) -> list[str]:
    """One line for each element that breaks a rule, in the light theme or in the dark one."""
    page.emulate_media(color_scheme="light")
    found = _broken(page, None)
    page.emulate_media(color_scheme="dark")
    # Only this rule looks at what differs between the themes.
    return found + [f"dark: {each}" for each in _broken(page, ["color-contrast"])]


def _broken(page: Page, rules: list[str] | None) -> list[str]:
    # The page's policy lets no script in but its own; evaluated text is not a script of the page.
    if not page.evaluate("() => 'axe' in globalThis"):
        page.evaluate(_axe())
    found: list[str] = page.evaluate(_FIND, rules)
    return found
