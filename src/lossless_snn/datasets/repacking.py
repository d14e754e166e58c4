"""Sources that have a data set in another form, from which the project's own files are made."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import idx
from .places import Source, SourceError, verified_copy
from .spec import DECODED_FILES, Split


@dataclass(frozen=True)
class Repacked:
    """IDX files of both splits, made from the files of another source.

    Attributes:
        form: What precedes the other source's title in ours: "batches in".
        source: The other source.
        digests: Digests of its files, decompressed: nothing is interpreted that has another one.
        read_split: Pixels, uint8 (N, C, H, W), and labels, int64 (N,), of a split, from those files by their names.
    """

    form: str
    source: Source
    digests: Mapping[str, str]
    read_split: Callable[[dict[str, Path], Split], tuple[np.ndarray, np.ndarray]]

    @property
    def title(self) -> str:
        return f"{self.form} {self.source.title}"

    def offers(self, names: Collection[str], scratch: Path) -> Iterator[dict[str, Path]]:
        packed = self._verified(scratch)
        if missing := self.digests.keys() - packed.keys():
            if packed:
                raise SourceError(f"{', '.join(sorted(missing))} missing")
            return
        for split, files in DECODED_FILES.items():
            if not set(files).isdisjoint(names):
                pixels, labels = self.read_split(packed, split)
                for file, array in zip(files, (pixels, labels.astype(np.uint8)), strict=True):
                    idx.write(scratch / file, array)
                yield {file: scratch / file for file in files}

    def _verified(self, scratch: Path) -> dict[str, Path]:
        """Copies of the other source's files, as many as it has; raises SourceError where one is another."""
        given, own = scratch / "given", scratch / "packed"
        given.mkdir()
        own.mkdir()
        packed: dict[str, Path] = {}
        for offer in self.source.offers(list(self.digests), given):
            for name in offer.keys() & self.digests.keys() - packed.keys():
                verified_copy(offer[name], own / name, self.digests[name])
                packed[name] = own / name
            if packed.keys() == self.digests.keys():
                break
        return packed
