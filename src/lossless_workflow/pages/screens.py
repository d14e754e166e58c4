"""`make screens`: README and site as a browser shows them, as PNG in build/screens/, to be looked at.

The README is rendered as a code host does: tables, fenced code, 980 pixels wide at most. Needs Debian's chromium.
"""

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import markdown
from PIL import Image

from lossless_snn.cli.usage import Command

from ..program import program

OUT = Path("build/screens")
_STYLE = """
:root { color-scheme: light dark; --ink: #1f2328; --paper: #fff; --soft: #f6f8fa; --line: #d1d9e0; --link: #0969da }
@media (prefers-color-scheme: dark) {
  :root { --ink: #f0f6fc; --paper: #0d1117; --soft: #151b23; --line: #3d444d; --link: #4493f8 }
}
body { font: 16px/1.5 "Liberation Sans", Arial, sans-serif; color: var(--ink); background: var(--paper);
       max-width: 980px; margin: 0 auto; padding: 24px 32px }
h1, h2 { line-height: 1.25; padding-bottom: .3em; border-bottom: 1px solid var(--line); margin: 24px 0 16px }
h1 { font-size: 2em; margin-top: 0 } h2 { font-size: 1.5em } p, ul, table, pre { margin: 0 0 16px }
a { color: var(--link); text-decoration: none } img { max-width: 100% }
code { font: 85% "Liberation Mono", monospace; background: var(--soft); padding: .2em .4em; border-radius: 6px }
pre { background: var(--soft); padding: 16px; border-radius: 6px; overflow: auto; line-height: 1.45 }
pre code { padding: 0; background: none }
table { display: block; width: max-content; max-width: 100%; overflow: auto;
  border-spacing: 0; border-collapse: collapse }
th, td { padding: 6px 13px; border: 1px solid var(--line) } tr:nth-child(2n) td { background: var(--soft) }
"""


def as_html(readme: str, base: str) -> str:
    """A page of the README's Markdown, whose relative links start at `base`."""
    body = markdown.markdown(readme, extensions=["tables", "fenced_code", "sane_lists"])
    return f'<!doctype html><meta charset="utf-8"><base href="{base}"><style>{_STYLE}</style>{body}'


# Headless chromium leaves the lowest part of a window unpainted: so many pixels more are taken, and cut off.
_UNPAINTED = 200


def screenshot(browser: str, page: str, out: Path, width: int, height: int, dark: bool = False) -> None:
    """Write what fits on the first screen of `page`, an address, to `out`."""
    with TemporaryDirectory() as profile:
        subprocess.run(
            [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={profile}"]
            + [
                f"--screenshot={out.resolve()}",
                f"--window-size={width},{height + _UNPAINTED}",
                "--virtual-time-budget=4000",
            ]
            + (["--blink-settings=preferredColorScheme=0"] if dark else [])
            + [page],
            check=True,
            capture_output=True,
            timeout=120,
        )
    with Image.open(out) as taken:
        taken.crop((0, 0, width, height)).save(out)


@click.command(cls=Command)
@click.argument("pages", nargs=-1, type=click.Path(path_type=Path))
@click.option("--width", type=click.IntRange(min=1), default=900, show_default=True)
@click.option("--height", type=click.IntRange(min=1), default=900, show_default=True)
def main(pages: tuple[Path, ...], width: int, height: int) -> None:
    """Take screenshots of the README and of the built PAGES."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("screens: no chromium here; install it (Debian: apt install chromium)")
    OUT.mkdir(parents=True, exist_ok=True)
    readme = OUT / "README.html"
    readme.write_text(as_html(Path("README.md").read_text(encoding="utf-8"), Path.cwd().as_uri() + "/"), "utf-8")
    for dark in (False, True):
        name = f"README{'-dark' if dark else ''}.png"
        screenshot(browser, readme.resolve().as_uri(), OUT / name, width, height, dark)
    screenshot(browser, readme.resolve().as_uri(), OUT / "README-whole.png", width, 4000)
    for page in pages:
        screenshot(browser, page.resolve().as_uri(), OUT / f"{page.stem}.png", width, height)
    print(f"{OUT}/: {', '.join(sorted(path.name for path in OUT.glob('*.png')))}")


if __name__ == "__main__":
    with program("screens"):
        main(prog_name="python -m lossless_workflow.pages.screens")
