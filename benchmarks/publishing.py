"""Publishing SmolLM2 to a local docker-registry and fetching it, as commands, beside their limits."""

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

CHECKOUT = Path(__file__).resolve().parents[1]
PUBLISH_S, FETCH_S = 2.5, 1.5
_CONFIG = """version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {root}}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


def main() -> None:
    """Print each run, the medians and the limits."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--project", default="projects/smollm2_135m")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _keys(folder)
        place = str(folder / "folder")
        print("building, and publishing to a folder", flush=True)
        print(_stbuild(folder, "publish", options.project, place, "--key", str(folder / "key"))[1])
        times = [_round(folder / f"run{number}", folder, options.project) for number in range(options.runs)]
    for what, limit, column in (("publish", PUBLISH_S, 0), ("fetch", FETCH_S, 1)):
        seconds = [row[column] for row in times]
        listed = " ".join(f"{each:.2f}" for each in seconds)
        print(f"{what:8} {listed} s, median {statistics.median(seconds):.2f} s; limit {limit} s")
    print(f"load {os.getloadavg()[0]:.1f} on {len(os.sched_getaffinity(0))} processors")


def _round(here: Path, keys: Path, project: str) -> tuple[float, float]:
    """Seconds to publish what is built to an empty registry, and to fetch it into an empty cache."""
    here.mkdir()
    with _registry(here) as host:
        place = f"oci://{host}/bench/model"
        published = _stbuild(here, "publish", project, place, "--key", str(keys / "key"))[0]
        command = ("fetch", place, "--key", str(keys / "key.pub"))
        fetched = _stbuild(here, *command, cache=here / "cache")[0]
    shutil.rmtree(here)
    return published, fetched


def _stbuild(state: Path, *words: str, cache: Path | None = None) -> tuple[float, str]:
    env = {**os.environ, "PYTHONPATH": str(CHECKOUT), "XDG_STATE_HOME": str(state / "state")}
    if cache is not None:
        env["STBUILD_CACHE"] = str(cache)
    argv = [sys.executable, "-P", "-m", "stbuild", *words]
    began = time.monotonic()
    done = subprocess.run(argv, cwd=CHECKOUT, env=env, stdout=subprocess.PIPE, text=True, check=True)
    return time.monotonic() - began, done.stdout


def _keys(folder: Path) -> None:
    key = Ed25519PrivateKey.generate()
    (folder / "key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / "key.pub").write_bytes(public)


@contextmanager
def _registry(folder: Path) -> Iterator[str]:
    """The host of a registry whose files lie in the folder."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = folder / "config.yml"
    config.write_text(_CONFIG.format(root=folder / "registry", port=port))
    with subprocess.Popen(["docker-registry", "serve", str(config)], stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(200):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            yield f"127.0.0.1:{port}"
        finally:
            process.kill()


if __name__ == "__main__":
    main()
