"""In CI a skip is a failure that names its reason; elsewhere it is a skip."""

from pathlib import Path

import pytest

SKIPPING = """
import pytest

def test_call():
    pytest.skip("v++ is missing: apt-get install vitis")

@pytest.mark.skipif(True, reason="only root")
def test_mark():
    pass

@pytest.fixture
def tool():
    pytest.skip("no tool")

def test_fixture(tool):
    pass

@pytest.mark.xfail
def test_expected():
    assert False

def test_passes():
    pass
"""
WHOLE_FILE = "import pytest\npytest.importorskip('no_such_module')\n"
CHECKOUT = Path(__file__).resolve().parents[1]
PLUGINS = ("-p", "tests.skips", "-p", "no:cacheprovider")


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A pytest of its own, outside of CI, that finds the plugin."""
    for name in ("CI", "STBUILD_CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHONPATH", str(CHECKOUT))
    return pytester


def test_a_skip_is_a_skip(inner: pytest.Pytester) -> None:
    inner.makepyfile(test_a=SKIPPING, test_whole=WHOLE_FILE)
    result = inner.runpytest_subprocess(*PLUGINS)
    result.assert_outcomes(passed=1, skipped=4, xfailed=1)
    assert result.ret == 0


@pytest.mark.parametrize(("variable", "processes"), [("CI", ("-n", "1")), ("STBUILD_CI", ())])
def test_in_ci_a_skip_is_a_failure(
    inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, variable: str, processes: tuple[str, ...]
) -> None:
    monkeypatch.setenv(variable, "1")
    inner.makepyfile(test_a=SKIPPING)
    result = inner.runpytest_subprocess(*PLUGINS, *processes)
    outcomes = result.parseoutcomes()
    assert (outcomes["passed"], outcomes["xfailed"]) == (1, 1)
    assert outcomes.get("failed", 0) + outcomes.get("errors", 0) == 3
    assert "skipped" not in outcomes
    assert result.ret == 1
    result.stdout.fnmatch_lines_random([
        "in CI a skip is a failure: v++ is missing: apt-get install vitis (*test_a.py:4)",
        "in CI a skip is a failure: only root (*test_a.py:*)",
        "in CI a skip is a failure: no tool (*test_a.py:*)",
    ])  # fmt: skip


def test_in_ci_a_skipped_file_is_an_error(inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    inner.makepyfile(test_whole=WHOLE_FILE)
    result = inner.runpytest_subprocess(*PLUGINS)
    assert result.ret != 0
    assert result.parseoutcomes()["errors"] == 1
    result.stdout.fnmatch_lines(["in CI a skip is a failure: could not import 'no_such_module'*"])
