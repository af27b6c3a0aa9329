"""The memory images of a card: one file per region, grown word by word and closed with their sizes."""

from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from stbuild.errors import StbuildError

SUFFIX = ".bin"


class RegionFiles:
    """Files `<folder>/<region>.bin` that are written front to back, several at a time.

    >>> with RegionFiles(Path("weights")) as files: files.append("program", words)
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._open: dict[str, BinaryIO] = {}
        self.sizes: dict[str, int] = {}

    def append(self, region: str, words: NDArray[np.generic]) -> None:
        """Add `words`, whatever their shape, in C order and little-endian, to the region's file."""
        data = np.ascontiguousarray(words)
        try:
            self._file(region).write(data.reshape(-1).view(np.uint8).data)
        except OSError as error:
            raise StbuildError(
                f"region {region!r} cannot be written: {error.strerror}", where=str(self._folder), exit_code=1
            ) from error
        self.sizes[region] = self.sizes.get(region, 0) + data.nbytes

    def fit(self, region: str, size: int) -> None:
        """Fill the region's file up with zeros to `size` bytes; a region that grew beyond is refused."""
        used = self.sizes.get(region, 0)
        if used > size:
            raise StbuildError(
                f"region {region!r} took {used} bytes, the design gives it {size}", exit_code=1
            )
        self._file(region).truncate(size)
        self.sizes[region] = size

    def close(self) -> None:
        """Close all files."""
        for file in self._open.values():
            file.close()
        self._open.clear()

    def __enter__(self) -> "RegionFiles":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _file(self, region: str) -> BinaryIO:
        if region not in self._open:
            path = self._folder / f"{region}{SUFFIX}"
            self._open[region] = path.open("wb", buffering=0)
        return self._open[region]
