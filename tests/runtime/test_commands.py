"""`stbuild run` on a bundle: what it prints, where, and what it says when something is missing."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from stbuild.errors import StbuildError
from stbuild.package.bundle import Manifest, Provenance
from stbuild.runtime.commands import parse, run
from stbuild.runtime.session import Session
from tests.runtime.xrt import need_xrt

MakeBundle = Callable[..., Path]
Captured = pytest.CaptureFixture[str]


def test_ids_in_ids_out(make_bundle: MakeBundle, capsys: Captured) -> None:
    assert run(make_bundle(text=False), ["--tokens", "1 2 3", "--max-tokens", "4"]) == 0
    out, err = capsys.readouterr()
    assert re.fullmatch(r"(\d+ ){4}\n", out)
    assert re.search(
        r"\[4 tokens at [\d.]+ tok/s, prompt of 3 in [\d.]+ s; measured, emulated u55c on this host\]", err
    )
    assert "[the weights are synthetic: these tokens say nothing about the model]" in err


def test_a_device_by_name(make_bundle: MakeBundle, capsys: Captured) -> None:
    need_xrt()
    folder, outs = make_bundle(), []
    for device in ("native", "xrt:0"):
        assert run(folder, ["--tokens", "1 2 3", "--max-tokens", "4", "--device", device]) == 0
        outs.append(capsys.readouterr())
    assert outs[0].out == outs[1].out
    assert re.search(r"measured, emulated u55c through XRT \d+\.\d+", outs[1].err)


def test_a_device_that_does_not_exist() -> None:
    with pytest.raises(StbuildError, match=r"there is no device 'xrt' \(`native`, `xrt:0`"):
        parse(["--tokens", "1", "--device", "xrt"])


def test_real_weights_go_without_saying(
    make_bundle: MakeBundle, manifest: Manifest, capsys: Captured
) -> None:
    real = replace(manifest, model=replace(manifest.model, weights=Provenance.REAL))
    run(make_bundle(real), ["--tokens", "1,2,3", "--max-tokens", "1"])
    err = capsys.readouterr().err
    assert "synthetic" not in err and "[1 token, prompt of 3" in err


def test_a_prompt_is_framed_unless_raw(make_bundle: MakeBundle, capsys: Captured) -> None:
    folder = make_bundle()
    run(folder, ["--prompt", "Hi", "--max-tokens", "3"])
    assert f"prompt of {len('user') + 1 + len('Hi') + 1 + 3} " in capsys.readouterr().err
    run(folder, ["--prompt", "Hi", "--raw", "--max-tokens", "3"])
    assert "prompt of 2 " in capsys.readouterr().err


def test_equal_seeds_give_equal_text(make_bundle: MakeBundle, capsys: Captured) -> None:
    folder = make_bundle()
    outs = []
    for seed in ("1", "1", "2"):
        run(folder, ["--tokens", "1 2", "--temperature", "4", "--seed", seed, "--max-tokens", "8"])
        outs.append(capsys.readouterr().out)
    assert outs[0] == outs[1] != outs[2]


def test_a_full_context_is_told(make_bundle: MakeBundle, manifest: Manifest, capsys: Captured) -> None:
    endless = replace(manifest, model=replace(manifest.model, stop_tokens=()))
    run(make_bundle(endless), ["--tokens", "1 2", "--max-tokens", "999"])
    out, err = capsys.readouterr()
    assert len(out.split()) == 63
    assert "[the context of 64 tokens is full]" in err


def test_a_stop_token_ends_the_answer(make_bundle: MakeBundle, manifest: Manifest, capsys: Captured) -> None:
    run(make_bundle(), ["--tokens", "1 2 3", "--max-tokens", "6"])
    ids = [int(word) for word in capsys.readouterr().out.split()]
    stopping = replace(manifest, model=replace(manifest.model, stop_tokens=(ids[2],)))
    run(make_bundle(stopping), ["--tokens", "1 2 3", "--max-tokens", "6"])
    assert [int(word) for word in capsys.readouterr().out.split()] == ids[:2]


def interrupt_after(tokens: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C at the decode step behind so many tokens of the first answer."""
    decode, left = Session.decode, [tokens]

    def pressed(session: Session, token: int) -> int:
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt
        return decode(session, token)

    monkeypatch.setattr(Session, "decode", pressed)


def test_ctrl_c_ends_the_answer_to_a_prompt_on_a_line_of_its_own(
    make_bundle: MakeBundle, manifest: Manifest, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless = replace(manifest, model=replace(manifest.model, stop_tokens=()))
    interrupt_after(2, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        run(make_bundle(endless), ["--tokens", "1 2", "--max-tokens", "4"])
    assert re.fullmatch(r"(\d+ ){2}\n", capsys.readouterr().out)


@pytest.mark.parametrize("argv", [["--prompt", "Hi"], ["--chat"]])
def test_text_without_a_tokenizer(make_bundle: MakeBundle, argv: list[str]) -> None:
    with pytest.raises(StbuildError, match=r"text needs a tokenizer, and this bundle has none .*--tokens"):
        run(make_bundle(text=False), argv)


def test_a_conversation_without_a_template(make_bundle: MakeBundle) -> None:
    folder = make_bundle()
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(StbuildError, match="a conversation needs a chat template"):
        run(folder, ["--chat"])
    assert run(folder, ["--prompt", "Hi", "--max-tokens", "1"]) == 0


def test_a_template_inside_the_configuration(make_bundle: MakeBundle, capsys: Captured) -> None:
    folder = make_bundle()
    (folder / "chat_template.jinja").unlink()
    (folder / "tokenizer_config.json").unlink()
    for template in ('"<{{ messages[0].content }}>"', '[{"name": "default", "template": "<{{ 1 + 1 }}->"}]'):
        (folder / "tokenizer_config.json").write_text('{"chat_template": ' + template + "}")
        run(folder, ["--prompt", "Hi", "--max-tokens", "1"])
        assert "prompt of 4 " in capsys.readouterr().err


def test_a_broken_template(make_bundle: MakeBundle) -> None:
    folder = make_bundle()
    (folder / "chat_template.jinja").unlink()
    (folder / "chat_template.jinja").write_text("{% for %}")
    with pytest.raises(StbuildError, match=r"chat_template.jinja: the chat template is broken"):
        run(folder, ["--prompt", "Hi"])
    (folder / "chat_template.jinja").write_text("{{ raise_exception('no system role') }}")
    with pytest.raises(StbuildError, match="the chat template refuses: no system role"):
        run(folder, ["--prompt", "Hi"])


def test_a_broken_tokenizer(make_bundle: MakeBundle) -> None:
    folder = make_bundle()
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(StbuildError, match=r"tokenizer.json: not a tokenizer: Model missing"):
        run(folder, ["--prompt", "Hi"])


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["--tokens", "1 two"], "'two' is not a token id"),
        (["--tokens", ""], "the prompt is empty"),
        (["--tokens", "1", "--max-tokens", "0"], "max-tokens must be 1 or more, got 0"),
        (["--tokens", "1", "--chat"], r"not allowed with argument --tokens \(`-- --help` "),
        ([], "one of the arguments --prompt --chat --tokens is required"),
        (
            ["--tokens", "1", "--top-k", "3"],
            "top-k has no effect at temperature 0",
        ),
        (["--tokens", "1", "--top-p", "0.5"], "top-p has no effect at temperature 0"),
        (["--prompt", "\udcff"], r"the text has bytes in it that are not UTF-8 \(convert it, for"),
        (["--tokens", "1", "--seed", "x"], "argument --seed: invalid int value: 'x'"),
        (["--tokens", "1 " * 65], "the prompt has 65 tokens, the context holds 64"),
    ],
)
def test_wrong_arguments(make_bundle: MakeBundle, argv: list[str], sentence: str) -> None:
    with pytest.raises(StbuildError, match=sentence):
        run(make_bundle(), argv)


def test_help_shows_examples(tmp_path: Path, capsys: Captured) -> None:
    with pytest.raises(SystemExit):
        run(tmp_path, ["--help"])
    assert "capital of France" in capsys.readouterr().out
