"""A history of two years, made with a seed."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from stbuild.nightly.history import FILE
from stbuild.nightly.outcome import Fault, Outcome
from stbuild.nightly.schema import connect
from stbuild.nightly.values import Cell

DAY_S = 86_400.0
BEGAN_S = 1_700_000_000.0
KINDS = (
    ("tokens_per_s@16", "tok/s", "higher", 40.0),
    ("tokens_per_s@64", "tok/s", "higher", 38.0),
    ("first_token_p50_ms@64", "ms", "lower", 120.0),
    ("token_p95_ms@64", "ms", "lower", 27.0),
    ("cycles_decode", "cycles", "lower", 1_234_567.0),
)
CELLS = [
    Cell(project=project, platform=platform, target="sw_emu", device="native")
    for project in ("projects/gpt2_medium", "projects/smollm2_135m")
    for platform in ("u280", "u55c", "vck5000")
]


def make_history(folder: Path, *, nights: int = 730, commits: tuple[str, ...] = ()) -> None:
    """Thirty series: five figures of six cells; slower for 100 nights, wrong for 4 at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    connection = connect(folder / FILE)
    names = commits or tuple(f"{night * 7919 % 65536:04x}" * 10 for night in range(nights))
    with connection:
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO night VALUES (?,?,?,?,?,?,?,?,?,?)", _nights(nights, names))
        for number, (cell, (figure, unit, better, _)) in enumerate(_series()):
            exact = figure.startswith("cycles")
            values = (
                number,
                cell.project,
                cell.platform,
                cell.target,
                cell.device,
                "bench",
                figure,
                unit,
                exact,
                better,
            )
            connection.execute("INSERT INTO series VALUES (?,?,?,?,?,?,?,?,?,?)", values)
        connection.executemany(f"INSERT INTO cell VALUES ({','.join('?' * 16)})", _cells(nights))
        connection.executemany("INSERT INTO value VALUES (?,?,?)", _values(nights))
    connection.close()


def _series() -> list[tuple[Cell, tuple[str, str, str, float]]]:
    return [(cell, kind) for cell in CELLS for kind in KINDS]


def _outcome(nights: int, night: int, cell: int) -> Outcome:
    if cell == 1 and night >= nights - 4:
        return Outcome.WRONG_RESULT
    if cell == 4 and night in (nights - 9, nights - 1):
        return Outcome.BROKEN_DEVICE
    return Outcome.GOOD


def _nights(nights: int, names: tuple[str, ...]) -> Iterator[tuple[object, ...]]:
    for night in range(nights):
        began_s = BEGAN_S + night * DAY_S
        bad: list[Outcome] = [
            each for cell in range(6) if (each := _outcome(nights, night, cell)) is not Outcome.GOOD
        ]
        outcome = (bad or [Outcome.GOOD])[0].value
        yield (
            night + 1,
            began_s,
            began_s + 600,
            "bench",
            names[night],
            0,
            began_s - 3600,
            "p",
            "0.1",
            outcome,
        )


def _cells(nights: int) -> Iterator[tuple[object, ...]]:
    for night in range(nights):
        for number, cell in enumerate(CELLS):
            outcome = _outcome(nights, night, number)
            fault = Fault.HUNG.value if outcome is Outcome.BROKEN_DEVICE else ""
            message = "" if outcome is Outcome.GOOD else f"prompt 0 differs at token {night % 7} <&>"
            yield (night * 6 + number + 1, night + 1, cell.project, cell.platform, cell.target, cell.device,
                   outcome.value, fault, message, BEGAN_S + night * DAY_S, 60.0, 1, "emulated",
                   f"nights/{night + 1:05}/{number}.log", None, None)  # fmt: skip


def _values(nights: int) -> Iterator[tuple[int, int, float]]:
    rng = np.random.default_rng(1)
    for number, (cell, (figure, _, better, level)) in enumerate(_series()):
        values = np.full(nights, level)
        if not figure.startswith("cycles"):
            values = level * (1 + 0.02 * rng.standard_normal(nights))
        worse = 0.9 if better == "higher" else 1.1
        if cell.platform == "u55c":
            values[nights - 100 :] *= worse
        for night, value in enumerate(values):
            yield number, night * 6 + number // len(KINDS) + 1, float(value)
