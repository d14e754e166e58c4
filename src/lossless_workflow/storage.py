"""A storage such as S3 in place of a shared file system: what is staged lies where the project has it.

Snakemake stages files to a folder of its own, named by provider, bucket and prefix. The commands, and the records of
what they did, call files by their paths in the project; so that folder is a link to the project's.
"""

from importlib import import_module
from pathlib import Path


def stage_in_project(settings) -> None:
    """Make the link, where Snakemake's `settings` name a default storage."""
    if not settings.default_storage_provider:
        return
    place = settings.default_storage_prefix.partition("://")[2].strip("/")
    link = Path(settings.local_storage_prefix) / settings.default_storage_provider / place
    if not link.is_symlink():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(Path.cwd())
    if settings.default_storage_provider == "s3":
        # The plugin keeps the place that it made of a pattern before Snakemake put the wildcards' constraints into it.
        storage_object = import_module("snakemake_storage_plugin_s3").StorageObject
        storage_object.local_suffix = lambda self: str(self.query).partition("://")[2]
