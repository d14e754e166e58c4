"""Tables in Markdown, read back."""


def cells(markdown: str) -> dict[str, dict[str, str]]:
    """The table's cells by the first cell of their row, then by heading."""
    lines = [line.strip("|").split("|") for line in markdown.splitlines() if line.startswith("|")]
    heading, _, *rows = [[cell.strip() for cell in line] for line in lines]
    return {row[0]: dict(zip(heading, row, strict=True)) for row in rows}
