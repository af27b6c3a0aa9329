"""A model of the user's own, as the README has it: a folder that transformers saved, in another workspace."""

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from tests.conftest import WorkspaceFolder

LONG_S = 600
SIZES = "channels: 2, lanes: 1, chunk: 4, context: 32, new_tokens: 2"
MODEL = """
from transformers import AutoConfig, AutoModelForCausalLM

import sizes


def model():
    config = AutoConfig.from_pretrained("{folder}")
    assert config.num_hidden_layers == sizes.LAYERS
    return AutoModelForCausalLM.from_config(config)
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small Llama with random weights in several files, and a tokenizer of bytes, no chat template."""
    folder = tmp_path_factory.mktemp("hub") / "mine"
    config = LlamaConfig(
        vocab_size=258, hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=2
    )
    LlamaForCausalLM(config).save_pretrained(folder, max_shard_size="100KB")
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: number for number, letter in enumerate(("<s>", "</s>", *alphabet))}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = {"bos_token": "<s>", "eos_token": "</s>"}
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)  # type: ignore[no-untyped-call]
    fast.save_pretrained(folder)
    assert len(list(folder.glob("*.safetensors"))) > 1
    return folder


@pytest.fixture
def mine(workspace: WorkspaceFolder, saved: Path) -> WorkspaceFolder:
    """The README's two files, and a module that the model's file imports."""
    workspace.write("mine/model.py", MODEL.format(folder=saved))
    workspace.write("mine/sizes.py", "LAYERS = 2\n")
    reads = f"[sizes.py, {saved}/config.json]"
    attributes = f"model: model.py, srcs: {reads}, weights: {saved}, {SIZES}"
    workspace.build_file("mine", f"llm_accelerator: {{{attributes}}}")
    return workspace


@pytest.mark.slow
def test_a_saved_model_is_built_checked_and_run(mine: WorkspaceFolder) -> None:
    """Without prompts of the project's own the check still compares something."""
    done = mine.ok("mine", timeout_s=LONG_S)
    assert "bit-exact with the PyTorch reference: 1 prompts, 2 new tokens" in done.out
    assert "VppCompile router.cpp (" in done.err and "SimCompile system.cpp (" in done.err
    answer = mine.ok("run", "mine", "--prompt", "Hi", "--max-tokens", "3")
    assert "prompt of 2 " in answer.err
    refused = mine.fails("run", "mine", "--chat", code=2)
    assert "a conversation needs a chat template, and this bundle has none" in refused
    mine.write("mine/sizes.py", "LAYERS = 2  # still\n")
    told = mine.ok("explain", "mine:trace").out
    assert "//mine:trace Trace runs\n    file mine/sizes.py: " in told


def test_what_the_model_reads_is_declared(mine: WorkspaceFolder, saved: Path) -> None:
    mine.build_file("mine", "llm_accelerator: {model: model.py}")
    told = mine.fails("mine:trace", code=1)
    assert "mine/model.py:4: cannot be imported: no module named 'sizes'" in told
    assert "(declare a file of the project in `srcs`, install a package with pip)" in told
    mine.build_file("mine", "llm_accelerator: {model: model.py, srcs: [sizes.py]}")
    told = mine.fails("mine:trace", code=1)
    assert f"{saved}/config.json is not an input of //mine:trace: declare it, for example in `srcs`" in told


def test_weights_from_outside_are_named_by_their_own_path(mine: WorkspaceFolder, tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    told = mine.fails("mine:weights", "--weights", str(tmp_path / "weights"), code=1)
    assert f"error: {tmp_path}/weights: the folder has neither model.safetensors nor " in told


def test_wrong_arguments_are_refused_before_anything_is_built(mine: WorkspaceFolder) -> None:
    told = mine.fails("run", "mine", "--prompt", "Hi", "--max-tokns", "3")
    assert told == "error: unrecognized arguments: --max-tokns 3 (`-- --help` shows all options)\n"
    assert mine.fails("run", "mine", "--tokens", "1 x").startswith("error: 'x' is not a token id")
    assert "capital of France" in mine.ok("run", "mine", "--", "--help").out
    assert not (mine.root / "stbuild-out/u55c-sw_emu").exists()


def test_a_missing_compiler_is_told_before_the_trace(mine: WorkspaceFolder) -> None:
    mine.env["PATH"] = "/nowhere"
    told = mine.fails("mine", code=1)
    assert told.endswith(
        "error: mine/BUILD.yaml:2: the program 'g++' is not on this machine (apt install g++)\n"
    )
    assert not (mine.root / "stbuild-out/u55c-sw_emu").exists()


def test_a_context_without_room_is_refused_at_its_line(mine: WorkspaceFolder) -> None:
    mine.build_file("mine", "llm_accelerator: {model: model.py, context: 0}")
    told = mine.fails("mine:trace")
    assert told == "error: mine/BUILD.yaml:2: //mine:trace: context takes 1 to 32,768 positions, got 0\n"


def test_a_long_command_is_cut_in_the_log(workspace: WorkspaceFolder) -> None:
    workspace.build_file("p", "genrule: {name: p, outs: [o], cmd: 'touch $@'}")
    workspace.ok("p", "--set", f"//p:p.env={json.dumps({'TEXT': 'word ' * 200})}")
    (line,) = workspace.ok("log").out.splitlines()
    assert line.endswith(" …") and len(line) < 250


def test_word_that_means_nothing(workspace: WorkspaceFolder) -> None:
    workspace.build_file("p", "genrule: {name: p, outs: [o], cmd: 'touch $@'}")
    told = workspace.fails("bild")
    assert told == (
        "error: 'bild' is neither a command nor a package (known: p; `stbuild --help` lists the commands)\n"
    )


def test_query_for_a_rule_that_does_not_exist(workspace: WorkspaceFolder) -> None:
    workspace.build_file("p", "genrule: {name: p, outs: [o], cmd: 'touch $@'}")
    assert workspace.ok("query", "kind(sh_test, //...)").out == ""
    told = workspace.fails("query", "kind(genrul_, //...)")
    assert told == "error: query: no rule is called 'genrul_' (did you mean 'genrule'?)\n"


def test_program_that_does_not_know_its_version_goes_by_its_content(workspace: WorkspaceFolder) -> None:
    tool = workspace.write("bin/shy", "#!/bin/sh\necho 'shy: not an option: --version' >&2; exit 2\n")
    tool.chmod(0o755)
    workspace.env["PATH"] = f"{workspace.root}/bin:/usr/bin:/bin"
    workspace.build_file("p", "genrule: {name: p, outs: [o], programs: [shy], cmd: 'touch $@'}")
    told = workspace.ok("aquery", "p:p").out
    assert "tool:    shy without a version, sha256 " in told and "not an option" not in told
