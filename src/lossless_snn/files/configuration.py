"""Files of configuration: those in config/ of the working folder, and behind them those that the package brings."""

from pathlib import Path

OWN = Path("config")

# In a checkout a link to config/, whose files a wheel has in its place.
_SHIPPED = Path(__file__).parents[1] / "shipped"


def configured(path: str | Path) -> Path:
    """Where a file of configuration is to be read.

    Args:
        path: Its place, such as config/energy.yaml.

    Returns:
        The same path where there is such a file, or the package's file of that place below config/. The path
        itself, too, where neither is there: that is where a person would put the file.
    """
    path = Path(path)
    if path.exists() or not path.is_relative_to(OWN):
        return path
    shipped = _SHIPPED / path.relative_to(OWN)
    return shipped if shipped.exists() else path


def configured_names(folder: Path) -> list[str]:
    """The names NAME of all files NAME.yaml in a folder of configuration, the working folder's and the package's."""
    places = [folder, _SHIPPED / folder.relative_to(OWN)] if folder.is_relative_to(OWN) else [folder]
    return sorted({path.stem for place in places for path in place.glob("*.yaml")})
