"""What README and docs/ name is there: commands, options, targets, files. The site builds, and needs no network."""

import ast
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from browsers import PATIENCE, open_page

from lossless_snn.cli.main import cli
from lossless_snn.config.settings import read_settings
from lossless_workflow.pages import rule_graph, tables

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK, INLINE = "block", "inline"
PROGRAMS = ("make", "snakemake", "lossless-snn", "dvc")


def prose(page):
    """The page's text, and its indented code."""
    text = re.sub(r"<!-- (\S+) -->\n.*?<!-- /\1 -->", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    code = [line.strip() for line in text.splitlines() if re.match(r" {4,}\S", line)]
    return "\n".join(line for line in text.splitlines() if not line.startswith("    ")), code


def commands():
    """(page, where in it, words) of each command line of a known program."""
    found = []
    for page in PAGES:
        text, code = prose(page)
        # A word in code that no space follows names the program, not a command.
        inline = re.findall(r"`([^`]+)`", text)
        for where, lines in ((BLOCK, code), (INLINE, inline)):
            for line in lines:
                for part in re.split(r"&&|;(?= )", line):
                    try:
                        words = shlex.split(part, comments=True)
                    except ValueError:
                        continue
                    while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
                        words.pop(0)
                    if len(words) > 1 and words[0] in PROGRAMS:
                        found.append((page.name, where, tuple(words)))
    return sorted(set(found))


COMMANDS = commands()


def of(program):
    chosen = [entry for entry in COMMANDS if entry[2][0] == program]
    return pytest.mark.parametrize(
        ("where", "words"),
        [entry[1:] for entry in chosen],
        ids=[f"{page}: {' '.join(words)}" for page, _, words in chosen],
    )


def test_pages_have_commands_of_every_program():
    assert {words[0] for _, where, words in COMMANDS if where == BLOCK} == set(PROGRAMS)


@of("make")
def test_make_has_the_target(where, words):
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    wanted = [word for word in words[1:] if "=" not in word]
    assert wanted == ["X"] or set(wanted) <= set(targets)


@of("lossless-snn")
def test_the_command_line_takes_the_command(where, words):
    name, *arguments = words[1:]
    if name == "COMMAND":
        return
    context = click.Context(cli, info_name="lossless-snn")
    command = cli.get_command(context, name)
    assert command is not None, f"no command {name}"
    arguments = [argument for argument in arguments if not argument.startswith("[")]
    if where == BLOCK:
        command.make_context(name, arguments, parent=context)
    else:  # perhaps not the whole of it
        command.make_parser(click.Context(command)).parse_args(arguments)


def snakemake_options(words):
    from snakemake.cli import get_argument_parser

    return get_argument_parser().parse_args([*words[1:]])


@of("snakemake")
def test_snakemake_takes_the_options(where, words, monkeypatch):
    from snakemake.cli import parse_config

    monkeypatch.chdir(ROOT)
    read_settings(parse_config(snakemake_options(words).config))


def test_snakemake_has_a_rule_for_each_target():
    """By one dry run of all of them."""
    targets = {
        target for _, _, words in COMMANDS if words[0] == "snakemake" for target in snakemake_options(words).targets
    }
    targets = {target.replace("/NAME/", "/digits-lenet/") for target in targets}
    assert len(targets) > 3
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "snakemake",
            "--dryrun",
            "--quiet",
            "all",
            "--nolock",
            "--cores",
            "1",
            "--",
            *sorted(targets),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr


@of("dvc")
def test_dvc_takes_the_options(where, words):
    from dvc.cli.parser import get_main_parser

    if where == BLOCK or "-" in "".join(words):
        get_main_parser().parse_args([word for word in words[1:] if word != "..."])


# ---- Links ----


def anchors(page):
    """Headings as GitHub and MkDocs name them, as far as they agree."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    generated = {"commands.md"}  # see lossless_workflow.pages.site
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"https?://", target) or target in generated:
            continue
        path, _, anchor = target.partition("#")
        place = (page.parent / path).resolve() if path else page
        assert place.is_file(), target
        assert not anchor or anchor in anchors(place), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_exist(page):
    for name in re.findall(
        r"`((?:src|tests|config|docs|workflow|benchmarks)/[\w./-]+)`", page.read_text(encoding="utf-8")
    ):
        if not re.search("NAME|EXPERIMENT", name):
            assert (ROOT / name).exists() or (ROOT / "src/lossless_snn" / name).exists(), name


# ---- Messages ----


def texts_of_the_code():
    """Every string of the package and of the Makefile, a form feed for what an f-string fills in."""
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                yield "".join(part.value if isinstance(part, ast.Constant) else "\f" for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
    yield (ROOT / "Makefile").read_text(encoding="utf-8")


def messages_explained():
    rows = re.findall(r"^\| (`.+?) \|", (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8"), re.MULTILINE)
    return [message for row in rows for message in re.findall(r"`([^`]+)`", row)]


def test_messages_that_are_explained_are_those_of_the_code():
    texts = list(texts_of_the_code())
    explained = messages_explained()
    assert len(explained) > 50
    for message in explained:
        # Capitals, quoted names and dots stand for what the code fills in.
        pieces = re.split(r"'?\b(?:[A-Z]+|k)\b(?:\.yaml)?'?|\.\.\.", message.replace("FP32", "\0"))
        for piece in (piece.strip(" :,;()<>'") for piece in pieces):
            known = piece.replace("\0", "FP32").split("JSON")
            assert len(piece) < 8 or any(all(part in text for part in known) for text in texts), (message, piece)


# ---- What is drawn and built ----


def test_the_drawing_of_the_rules_is_that_of_the_snakefile(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert rule_graph.DRAWING.read_text(encoding="utf-8") == rule_graph.drawn()


DOT = """digraph { 0[label = "reproduce"]; 1[label = "fetch"]; 2[label = "train"]; 3[label = "test"];
4[label = "figure_a"]; 5[label = "figure_b"]; 1 -> 2  2 -> 3  1 -> 3  3 -> 4  3 -> 5  4 -> 0  5 -> 0  2 -> 0 }"""


def test_rules_stand_in_columns_and_only_direct_arrows_are_drawn():
    boxes, edges = rule_graph.parsed(DOT)
    assert boxes == {"fetch": ["fetch"], "train": ["train"], "test": ["test"], "figure_test": ["figure_a", "figure_b"]}
    assert rule_graph.direct(edges) == {("fetch", "train"), ("train", "test"), ("test", "figure_test")}
    assert rule_graph.columns(boxes, edges) == [["fetch"], ["train"], ["test"], ["figure_test"]]


def test_wide_tables_are_turned_and_narrow_ones_stay():
    narrow = "| a | b |\n| --- | --- |\n| 1 | 2 |\n"
    assert tables.shown(narrow) == narrow
    names = [f"q{i}" for i in range(7)]
    wide = "\n".join(
        f"| {' | '.join(row)} |" for row in (["p", *names], ["---"] * 8, ["x", *"1234567"], ["y", *"abcdefg"])
    )
    turned = tables.shown(f"Before.\n\n{wide}\n\nAfter.\n").splitlines()
    assert turned[:5] == ["Before.", "", "| p | x | y |", "| --- | ---: | ---: |", "| q0 | 1 | a |"]
    assert turned[-3:] == ["| q6 | 7 | g |", "", "After."]


def test_a_wide_table_of_several_subjects_becomes_a_table_for_each():
    heading = ["e", "p", *"abcdef"]
    rows = [heading, ["---"] * 8, ["one", "x", *"123456"], ["one", "y", *"123456"], ["two", "x", *"654321"]]
    turned = tables.shown("".join(f"| {' | '.join(row)} |\n" for row in rows)).splitlines()
    assert turned[:4] == ["**one**", "", "| p | x | y |", "| --- | ---: | ---: |"]
    assert {"**two**", "| a | 6 |"} <= set(turned)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    pytest.importorskip("material", reason="mkdocs-material is not installed")
    folder = tmp_path_factory.mktemp("site")
    run = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return folder


def test_the_site_has_every_page_and_figure(site):
    pages = {path.name for path in site.glob("*.html")}
    assert {page.with_suffix(".html").name for page in PAGES if page.name != "README.md"} <= pages
    gallery = (site / "gallery.html").read_text(encoding="utf-8")
    for figure in (ROOT / "results").rglob("*.svg"):
        assert str(figure.relative_to(ROOT)) in gallery


def test_the_site_asks_for_nothing_outside(site):
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"""(?:src=|<link[^>]*href=|url\()["']?(?:https?:)?//""", text), page


def test_api_pages_have_what_modules_export(site):
    text = (site / "reference/conversion.html").read_text(encoding="utf-8")
    assert 'id="lossless_snn.conversion.SpikingNetwork"' in text
    assert "How many" not in text
    assert "Raises" in text


def test_every_page_opens_and_fits_a_phone(site, browser):
    width = 390
    complaints, requests = [], []
    page = open_page(browser, site / "index.html", complaints, requests, viewport={"width": width, "height": 900})
    for path in sorted([*site.glob("*.html"), *site.glob("reference/*.html")]):
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path.name
    assert complaints == []
    assert all(request.startswith((site.as_uri(), "data:", "blob:")) for request in requests)


def test_search_works_from_the_folder(site, browser):
    from playwright.sync_api import TimeoutError as TooLate

    complaints, requests = [], []
    page = open_page(browser, site / "index.html", complaints, requests)
    # The index may still be on its way when the words come: they are typed until they find something.
    for _ in range(PATIENCE // 5000):
        page.fill("input.md-search__input", "")
        page.type("input.md-search__input", "shadow membrane")
        try:
            page.wait_for_selector(".md-search-result__link", timeout=5000)
            break
        except TooLate:
            continue
    found = page.inner_text(".md-search-result__list")
    assert "The method, with a pencil" in found
    assert complaints == []
    assert all(request.startswith(site.as_uri()) or request.startswith("data:") for request in requests)
