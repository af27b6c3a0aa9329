"""A session on the native device: chunks, positions, rewinding, and what does not fit."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stbuild.errors import StbuildError
from stbuild.package.bundle import BufferArgument, Bundle, Manifest, load_bundle
from stbuild.runtime.devices.native import NativeDevice
from stbuild.runtime.sampling import Sampler, Sampling
from stbuild.runtime.session import Session
from stbuild.runtime.smoke import Recorder, run_prompt


def session_of(bundle: Bundle) -> Session:
    return Session(NativeDevice(bundle), bundle.manifest.model)


def test_a_prompt_in_chunks_equals_token_by_token(bundle: Bundle) -> None:
    prompt = tuple(range(20))
    chunked, single = session_of(bundle), session_of(bundle)
    token = chunked.prefill(prompt)
    for each in prompt:
        last = single.decode(each)
    assert token == last
    assert np.array_equal(chunked.logits(), single.logits())
    assert chunked.position == single.position == 20
    assert (chunked.launches, single.launches) == (3, 20)
    assert chunked.cycles == 108 + 108 + 104


def test_rewinding_forgets(bundle: Bundle) -> None:
    session = session_of(bundle)
    token = session.prefill((5, 6, 7))
    session.prefill((8, 9))
    session.rewind(2)
    assert session.history == (5, 6)
    assert session.decode(7) == token


def test_a_device_has_one_session_at_a_time(bundle: Bundle) -> None:
    """Two would overwrite each other's KV cache, with tokens that are wrong in silence."""
    device, model = NativeDevice(bundle), bundle.manifest.model
    with Session(device, model) as first:
        first.prefill((5, 6))
        with pytest.raises(StbuildError, match="the device has an open session, whose KV cache a second one"):
            Session(device, model)
        first.decode(7)
    with pytest.raises(StbuildError, match=r"the session is closed \(open a new one\)"):
        first.decode(8)
    second = Session(device, model)
    assert second.position == 0
    first.close()
    second.decode(5)
    del second
    Session(device, model).decode(5)


def test_two_devices_have_a_session_each(bundle: Bundle) -> None:
    first, second = session_of(bundle), session_of(bundle)
    assert first.prefill((5, 6, 7)) == second.prefill((5, 6, 7))


def test_a_prompt_longer_than_the_context(bundle: Bundle) -> None:
    with pytest.raises(StbuildError, match="the prompt has 65 tokens, the context holds 64"):
        session_of(bundle).prefill((1,) * 65)


def test_a_full_context(bundle: Bundle) -> None:
    session = session_of(bundle)
    session.prefill((1,) * 62)
    with pytest.raises(StbuildError, match="3 more tokens do not fit: the context holds 64, of which 62"):
        session.prefill((1, 2, 3))
    session.prefill((1, 2))
    with pytest.raises(StbuildError, match="the context is full: it holds 64 tokens"):
        session.decode(1)


@pytest.mark.parametrize("token", [-1, 272])
def test_a_token_outside_the_vocabulary(bundle: Bundle, token: int) -> None:
    with pytest.raises(StbuildError, match=f"token {token} is not in the vocabulary of 272"):
        session_of(bundle).decode(token)


def test_an_empty_prompt(bundle: Bundle) -> None:
    with pytest.raises(StbuildError, match="the prompt is empty"):
        session_of(bundle).prefill(())


def test_a_deadlock_is_told_in_the_emulators_words(bundle: Bundle) -> None:
    with pytest.raises(
        StbuildError, match=r"emulated u55c on this host: deadlock: a waits to read f \(depth 2\)"
    ) as e:
        session_of(bundle).decode(271)
    assert e.value.exit_code == 1


def test_names_that_the_design_does_not_have(bundle: Bundle) -> None:
    device = NativeDevice(bundle)
    with pytest.raises(StbuildError, match=r"no buffer 'logit' \(did you mean 'logits'\?\)"):
        device.buffer("logit")
    with pytest.raises(StbuildError, match="no stream 'x'"):
        device.tap("x", lambda data: None)
    with pytest.raises(StbuildError, match="no option 'x'"):
        device.set("x", 1)
    device.set("known", 1)


def test_weights_are_mapped_from_their_file_and_read_only(bundle: Bundle) -> None:
    device = NativeDevice(bundle)
    weights = device.buffer("weights_0")
    assert weights.tobytes() == (bundle.path / "weights/weights_0.bin").read_bytes()
    assert not weights.flags.writeable
    assert (bundle.path / "weights/weights_0.bin").is_symlink()


def test_copies_of_buffers_take_memory_only_where_they_are_touched(
    make_bundle: Callable[..., Path], manifest: Manifest
) -> None:
    """A KV cache of a gigabyte, and with it a host copy that nobody looks at."""
    arguments = tuple(
        replace(each, bytes=2**30) if isinstance(each, BufferArgument) and each.buffer == "kv" else each
        for each in manifest.arguments
    )
    bundle = load_bundle(make_bundle(replace(manifest, arguments=arguments)))
    before = resident_bytes()
    session_of(bundle).prefill((5, 6, 7))
    assert resident_bytes() - before < 2**26


def resident_bytes() -> int:
    """Memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_a_smoke_run_records_what_passed(bundle: Bundle) -> None:
    device = NativeDevice(bundle)
    recorder = Recorder(device, ("seen",))
    prompt, count = (1, 2, 3), 4
    first = run_prompt(device, bundle.manifest.model, prompt, count, recorder)
    again = run_prompt(device, bundle.manifest.model, prompt, count, recorder)
    seen = np.frombuffer(first.taps["seen"], np.int32)
    assert seen.tolist() == [*prompt, *first.tokens[:-1]]
    assert first.tokens == again.tokens and first.logits.shape == (4, 272)
    assert first.logits.argmax(axis=1).tolist() == list(first.tokens)
    assert first.launches == 4


def test_a_smoke_run_ends_with_the_context(bundle: Bundle) -> None:
    run = run_prompt(NativeDevice(bundle), bundle.manifest.model, (1,) * 60, 99)
    assert len(run.tokens) == 5


def test_sampling_follows_the_seed_and_the_logits(bundle: Bundle) -> None:
    session = session_of(bundle)
    greedy = session.prefill((3, 4))
    draws = [Sampler(Sampling(temperature=1.0, seed=7)).choose(greedy, session) for _ in range(2)]
    assert draws[0] == draws[1]
    assert Sampler(Sampling()).choose(greedy, session) == greedy
    assert Sampler(Sampling(temperature=1e-3, seed=1)).choose(greedy, session) == greedy
    many = Sampler(Sampling(temperature=5.0, seed=1))
    assert len({many.choose(greedy, session) for _ in range(50)}) > 5
