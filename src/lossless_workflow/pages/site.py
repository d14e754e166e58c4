"""Hooks by which MkDocs makes the site: what pages take from results/, from docstrings and from the repository.

A page of docs/ links to a file of the repository by ../PATH, which a code host can follow. In the site such a file
is a copy in repository/.
"""

import re
from pathlib import Path, PurePosixPath

from latex2mathml.converter import convert
from mkdocs.structure.files import File, Files

from lossless_workflow.pages.blocks import refreshed
from lossless_workflow.pages.commands import commands_page
from lossless_workflow.pages.gallery import figures
from lossless_workflow.pages.tables import of_budget

ROOT = Path(__file__).parents[3]
COPIES = "repository"
REFERENCE = "reference"
_OUTSIDE = re.compile(r"(\]\()\.\./([^)#\s]+)")
_TABLES = re.compile(r"^<!-- tables (\w+) -->$", re.MULTILINE)
_FORMULA = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)


def on_config(config, **_):
    """Leave out the page for servers that do not find one: its addresses begin at a host's root."""
    config.theme.static_templates.discard("404.html")


def on_files(files: Files, config, **_) -> Files:
    """Add the pages that are made, and the files of the repository that pages link to."""
    for page in config.nav:
        for name in _listed(page):
            if name.startswith(f"{REFERENCE}/"):
                files.append(File.generated(config, name, content=_reference(PurePosixPath(name).stem)))
    files.append(File.generated(config, "commands.md", content=commands_page()))
    linked = {Path(path) for file in files.documentation_pages() for _, path in _OUTSIDE.findall(file.content_string)}
    for path in sorted({path for path in linked if (ROOT / path).is_file()} | set(figures())):
        files.append(File.generated(config, f"{COPIES}/{path}", abs_src_path=str(ROOT / path)))
    return files


def _listed(page) -> list[str]:
    if isinstance(page, str):
        return [page]
    inner = page.values() if isinstance(page, dict) else page
    return [name for part in inner for name in _listed(part)]


def _reference(package: str) -> str:
    return f"# {package}\n\n::: lossless_snn.{package}\n"


def on_page_markdown(markdown: str, **_) -> str:
    """Fill in tables and gallery as they are now; lead links out of docs/ to the copies."""
    filled = _TABLES.sub(lambda part: of_budget(part[1]), refreshed(markdown))
    return _OUTSIDE.sub(lambda link: f"{link[1]}{COPIES}/{link[2]}", filled)


def on_page_content(html: str, **_) -> str:
    """Formulas as MathML, which browsers draw without a script."""
    return _FORMULA.sub(_formula, html)


def _formula(found: re.Match) -> str:
    display = "block" if found[1] == "div" else "inline"
    text = found[2].replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">")
    return convert(text, display=display)
