"""Publishing to a real registry: resuming, sharing, credentials, and what is told when it does not work."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from oras.client import OrasClient

from stbuild.errors import StbuildError
from stbuild.publish.fetching import fetch
from stbuild.publish.oci import INDEX_TYPE, MANIFEST_TYPE
from stbuild.publish.reference import Reference, parse_reference
from stbuild.publish.storage import open_storage
from stbuild.publish.verifying import verify
from tests.publish.registry import Exchange, RegistryServer, proxy, registry
from tests.publish.sample import KeyPair, contents, put, sample

LARGE = bytes(range(256)) * 40_000


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RegistryServer]:
    """A registry that takes everything."""
    with registry(tmp_path) as found:
        yield found


def at(host: str, repository: str = "lab/small", tag: str = "latest") -> Reference:
    return parse_reference(f"oci://{host}/{repository}:{tag}")


def test_what_is_published_is_fetched(tmp_path: Path, server: RegistryServer, key: KeyPair) -> None:
    built = sample(tmp_path / "built")
    done = put(built, at(server.host), key)
    found = fetch(at(server.host), key=key.public)
    files = {path: data for path, data in contents(found.folder).items() if not path.startswith(".")}
    assert files == {each.path: each.blob.read_bytes() for each in built.files}
    assert verify(f"oci://{server.host}/lab/small", key=None).digest == done.reference.digest
    assert put(sample(tmp_path / "again"), at(server.host), key).new is False


def test_a_folder_and_a_registry_have_the_same_digests(
    tmp_path: Path, server: RegistryServer, key: KeyPair
) -> None:
    one = put(sample(tmp_path / "a"), at(server.host), key)
    two = put(sample(tmp_path / "b"), Reference(folder=tmp_path / "out"), key)
    assert one.reference.digest == two.reference.digest


def test_layers_are_shared_between_versions(tmp_path: Path, server: RegistryServer, key: KeyPair) -> None:
    sent: list[int] = []

    def note(exchange: Exchange) -> None:
        if exchange.method == "PUT" and "/blobs/" in exchange.path:
            sent.append(exchange.request_bytes)

    with proxy(server.host, note) as host:
        put(sample(tmp_path / "a", weights=LARGE), at(host), key)
        first = sum(sent)
        sent.clear()
        put(sample(tmp_path / "b", weights=LARGE, image=b"another"), at(host), key)
    assert first > len(LARGE)
    assert 0 < sum(sent) < 20_000


def test_a_file_whose_push_is_cut_is_sent_again(tmp_path: Path, server: RegistryServer, key: KeyPair) -> None:
    sizes: list[int] = []

    def cut(exchange: Exchange) -> None:
        if exchange.method == "PUT" and "/blobs/" in exchange.path and exchange.request_bytes > 1_000_000:
            sizes.append(exchange.request_bytes)
            exchange.let_request = 3_000_000 if len(sizes) == 1 else None

    with proxy(server.host, cut) as host:
        put(sample(tmp_path / "a", weights=LARGE), at(host), key)
    assert sizes == [len(LARGE), len(LARGE)]
    verify(f"oci://{server.host}/lab/small", key=key.public)


def test_a_push_that_is_cut_for_good_sends_the_rest_next_time(
    tmp_path: Path, server: RegistryServer, key: KeyPair
) -> None:
    sent: list[int] = []
    broken = [True]

    def cut(exchange: Exchange) -> None:
        if exchange.method == "PUT" and "/blobs/" in exchange.path:
            sent.append(exchange.request_bytes)
            exchange.let_request = 0 if broken[0] and exchange.request_bytes < 1_000_000 else None

    built = sample(tmp_path / "a", weights=LARGE)
    with proxy(server.host, cut) as host:
        with pytest.raises(StbuildError, match=r"cannot be reached \(give the same command again"):
            put(built, at(host), key)
        assert max(sent) == len(LARGE)
        with open_storage(at(host)) as storage:
            assert storage.manifest("latest") is None
        sent.clear()
        broken[0] = False
        put(built, at(host), key)
    assert max(sent) < 1_000_000
    verify(f"oci://{server.host}/lab/small", key=key.public)


def test_a_download_that_is_cut_goes_on_where_it_was_cut(
    tmp_path: Path, server: RegistryServer, key: KeyPair
) -> None:
    put(sample(tmp_path / "a", weights=LARGE), at(server.host), key)
    asked: list[Exchange] = []

    def cut(exchange: Exchange) -> None:
        if exchange.method == "GET" and "/blobs/" in exchange.path:
            asked.append(exchange)
            exchange.let_answer = 4_000_000

    with proxy(server.host, cut) as host:
        found = fetch(at(host), key=key.public)
    assert (found.bundle / "weights/weights_0.bin").read_bytes() == LARGE
    assert len(asked) >= 3


def test_a_download_that_stays_cut_leaves_nothing_to_run(
    tmp_path: Path, server: RegistryServer, key: KeyPair, home: Path
) -> None:
    put(sample(tmp_path / "a", weights=LARGE), at(server.host), key)

    def cut(exchange: Exchange) -> None:
        if exchange.method == "GET" and "/blobs/" in exchange.path:
            exchange.let_answer = 2_000

    with (
        proxy(server.host, cut) as host,
        pytest.raises(StbuildError, match=r"cannot be reached \(give the same command again"),
    ):
        fetch(at(host), key=key.public)
    assert not (home / "cache/fetched/artefacts").exists()


def test_an_unreachable_registry_is_told_in_a_sentence(tmp_path: Path, key: KeyPair) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    refused = rf"the registry 127\.0\.0\.1:{port} cannot be reached: connection refused \(does it run"
    with pytest.raises(StbuildError, match=refused):
        put(sample(tmp_path / "a"), at(f"127.0.0.1:{port}"), key)
    with pytest.raises(StbuildError, match=r"there is no host registry\.invalid"):
        fetch(parse_reference("oci://registry.invalid/a/b"), key=key.public)


def test_a_registry_that_does_not_speak_tls(server: RegistryServer, key: KeyPair) -> None:
    reference = parse_reference(f"oci://{server.host.replace('127.0.0.1', '0.0.0.0')}/a/b")
    assert reference.scheme == "https"
    with pytest.raises(StbuildError, match=r"does not speak TLS as it should \(a registry without TLS is"):
        fetch(reference, key=key.public)


def test_what_is_not_there_is_told(server: RegistryServer, key: KeyPair) -> None:
    with pytest.raises(StbuildError, match="lab/small:latest: there is nothing here"):
        fetch(at(server.host), key=key.public)


def test_a_read_only_registry_is_told(tmp_path: Path, key: KeyPair) -> None:
    with (
        registry(tmp_path, read_only=True) as server,
        pytest.raises(StbuildError, match="the registry takes nothing: it is read-only"),
    ):
        put(sample(tmp_path / "a"), at(server.host), key)


def test_another_client_reads_what_is_published(tmp_path: Path, server: RegistryServer, key: KeyPair) -> None:
    put(sample(tmp_path / "a"), at(server.host), key)
    client = OrasClient(insecure=True)
    pulled = client.pull(target=f"{server.host}/lab/small:latest", outdir=str(tmp_path / "pulled"))
    assert len(pulled) == 5
    manifest = client.get_manifest(f"{server.host}/lab/small:latest")
    assert manifest["mediaType"] == MANIFEST_TYPE
    assert (tmp_path / "pulled/hls/kernels/k.cpp").read_text() == "void k() {}\n"


def test_what_is_attested_is_listed_as_a_referrer(
    tmp_path: Path, server: RegistryServer, key: KeyPair
) -> None:
    done = put(sample(tmp_path / "a"), at(server.host), key)
    put(sample(tmp_path / "b"), at(server.host, tag="stable"), key)
    tag = done.reference.digest.replace(":", "-")
    url = f"http://{server.host}/v2/lab/small/manifests/"
    index = requests.get(url + tag, headers={"Accept": INDEX_TYPE}).json()
    (entry,) = index["manifests"]
    assert entry["artifactType"] == "application/vnd.stbuild.attestations.v1"
    attached = requests.get(url + entry["digest"], headers={"Accept": MANIFEST_TYPE}).json()
    assert attached["subject"]["digest"] == done.reference.digest
