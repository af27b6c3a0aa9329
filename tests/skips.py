"""A pytest plugin: where CI or STBUILD_CI is set, a test that is skipped has failed."""

import os
from collections.abc import Generator
from typing import TypeVar

import pytest
from pytest import CallInfo, Collector, CollectReport, Item, TestReport

AnyReport = TypeVar("AnyReport", TestReport, CollectReport)


def forbidden() -> bool:
    """Whether this run must have everything that its tests need."""
    return any(os.environ.get(name, "") not in ("", "0", "false") for name in ("CI", "STBUILD_CI"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: Item, call: CallInfo[None]) -> Generator[None, TestReport, TestReport]:
    """Judge a skip in a test, its fixtures or its marks; an expected failure is none."""
    report = yield
    return report if hasattr(report, "wasxfail") else _judged(report)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: Collector) -> Generator[None, CollectReport, CollectReport]:
    """Judge the skip of a whole file."""
    return _judged((yield))


def _judged(report: AnyReport) -> AnyReport:
    if report.skipped and forbidden():
        where, line, reason = report.longrepr if isinstance(report.longrepr, tuple) else ("?", 0, "?")
        reason = reason.removeprefix("Skipped: ")
        report.longrepr = f"in CI a skip is a failure: {reason} ({where}:{line})"
        report.outcome = "failed"
    return report
