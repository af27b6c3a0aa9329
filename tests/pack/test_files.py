"""Region files: they grow word by word, and end as long as their region."""

from pathlib import Path

import numpy as np
import pytest

from stbuild.errors import StbuildError
from stbuild.pack.files import RegionFiles


def test_region_files_grow_and_are_filled_up(tmp_path: Path) -> None:
    with RegionFiles(tmp_path / "w") as files:
        files.append("a", np.arange(6, dtype=np.int32).reshape(2, 3).T)
        files.append("a", np.array([7], np.uint32))
        files.fit("a", 32)
        files.fit("b", 4)
        with pytest.raises(StbuildError, match="region 'a' took 32 bytes, the design gives it 8"):
            files.fit("a", 8)
    assert np.fromfile(tmp_path / "w/a.bin", np.int32).tolist() == [0, 3, 1, 4, 2, 5, 7, 0]
    assert (tmp_path / "w/b.bin").read_bytes() == bytes(4)
