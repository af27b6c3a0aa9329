"""The tables of the history, and how its file is opened, checked and made."""

import shutil
import sqlite3
import time
from pathlib import Path

from stbuild.errors import NoRoomError, StbuildError
from stbuild.nightly.outcome import EXIT_CODES, Outcome

VERSION = 2
"""`PRAGMA user_version` of the files that this stbuild writes; 1, which it reads too, had no comparisons."""
APPLICATION = 0x7374626E
"""`PRAGMA application_id`: `stbn`."""
_ROOM_BYTES = 1 << 16
BUSY_S = 30.0
"""How long a writer waits for another one; readers never wait."""

COMPARISON = """
CREATE TABLE comparison (           -- a figure of two commits that were measured in turns in one night
    series INTEGER NOT NULL REFERENCES series (id),
    cell INTEGER NOT NULL REFERENCES cell (id),
    before INTEGER NOT NULL REFERENCES night (id),  -- the night of the old commit
    since INTEGER NOT NULL,         -- the night since which the charts suspect a shift
    large INTEGER NOT NULL,         -- 1: the chart of large shifts
    times INTEGER NOT NULL,         -- measurements of each commit
    old REAL NOT NULL, new REAL NOT NULL,  -- medians
    is_commit INTEGER NOT NULL,     -- 1: the new commit has another level; 0: the machine, or nothing
    PRIMARY KEY (series, cell)
) WITHOUT ROWID;
"""
TABLES = """
CREATE TABLE night (
    id INTEGER PRIMARY KEY,
    began_s REAL NOT NULL,          -- seconds since 1970, as all that ends in _s and is no duration
    ended_s REAL,                   -- NULL while it goes on, or where it was killed
    host TEXT NOT NULL,
    "commit" TEXT NOT NULL,         -- '' where the workspace is no git repository
    dirty INTEGER NOT NULL,         -- 1 where files differed from the commit
    committed_s REAL,               -- when the commit was made
    plan TEXT NOT NULL,             -- digest of nightly.yaml
    stbuild TEXT NOT NULL,          -- version
    outcome TEXT                    -- as in stbuild.nightly.outcome; NULL while it goes on
);
CREATE TABLE series (               -- one figure of one place of the matrix on one host
    id INTEGER PRIMARY KEY,
    project TEXT NOT NULL, platform TEXT NOT NULL, target TEXT NOT NULL, device TEXT NOT NULL,
    host TEXT NOT NULL,
    figure TEXT NOT NULL,           -- such as tokens_per_s@64: behind @ the tokens of the prompt, or the SLR
    unit TEXT NOT NULL,
    exact INTEGER NOT NULL,         -- 1: the same inputs give the same value, so that any change counts
    better TEXT NOT NULL,           -- 'higher', 'lower' or 'neither'
    UNIQUE (project, platform, target, device, host, figure)
);
CREATE TABLE context (              -- what many rows share, each text once
    id INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    text BLOB NOT NULL              -- JSON, zlib
);
CREATE TABLE cell (                 -- one place of the matrix in one night
    id INTEGER PRIMARY KEY,
    night INTEGER NOT NULL REFERENCES night (id),
    project TEXT NOT NULL, platform TEXT NOT NULL, target TEXT NOT NULL, device TEXT NOT NULL,
    outcome TEXT NOT NULL,          -- as in stbuild.nightly.outcome
    fault TEXT NOT NULL,            -- of the device, '' for none
    message TEXT NOT NULL,          -- why, for a person
    began_s REAL NOT NULL,
    seconds REAL NOT NULL,
    tries INTEGER NOT NULL,
    described TEXT NOT NULL,        -- what the device says that it is
    log TEXT NOT NULL,              -- path of its log below the results' folder
    tools INTEGER REFERENCES context (id),  -- {tool: version}
    keys INTEGER REFERENCES context (id),   -- {action: key}
    UNIQUE (night, project, platform, target, device)
);
CREATE TABLE value (
    series INTEGER NOT NULL REFERENCES series (id),
    cell INTEGER NOT NULL REFERENCES cell (id),
    value REAL NOT NULL,
    PRIMARY KEY (series, cell)
) WITHOUT ROWID;
CREATE TABLE quarantine (           -- devices that failed again after a reset
    host TEXT NOT NULL, device TEXT NOT NULL,
    night INTEGER NOT NULL REFERENCES night (id),
    reason TEXT NOT NULL,
    PRIMARY KEY (host, device)
) WITHOUT ROWID;
"""


def connect(path: Path) -> sqlite3.Connection:
    """The history at `path`, for one writer and any number of readers; it is made where it is not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        if _is_empty(connection):
            _make(connection)
        elif connection.execute("PRAGMA user_version").fetchone()[0] == 1:
            connection.executescript(f"BEGIN; {COMPARISON} PRAGMA user_version = {VERSION}; COMMIT;")
    except sqlite3.Error as error:
        raise full_disk(error, path.parent) or _unreadable(path, error) from error
    _check(connection, path)
    return connection


def connect_to_read(path: Path) -> sqlite3.Connection:
    """The history at `path`, which is not changed; a writer does not hold it up."""
    if not path.is_file():
        raise StbuildError(f"there is no history at {path}", hint="`stbuild nightly` makes one")
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_S)
        _check(connection, path)
    except sqlite3.Error as error:
        raise _unreadable(path, error) from error
    return connection


def check_clock(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse to write where the clock stands before the last night."""
    times_s = connection.execute("SELECT max(began_s), max(ended_s) FROM night").fetchone()
    last_s = max((each for each in times_s if each is not None), default=0.0)
    if last_s > time.time() + 1:
        raise StbuildError(
            f"the clock was set back: the last night in the history is of {_shown(last_s)}, now it is "
            f"{_shown(time.time())}",
            where=str(path),
            hint="set the clock (`timedatectl` shows it), or move the history away",
        )


def full_disk(error: sqlite3.Error, place: Path) -> NoRoomError | None:
    """The sentence for a write that failed for want of room; None for any other error.

    SQLite calls it an I/O error where it cannot make the file that readers and writers share.
    """
    code = error.sqlite_errorcode
    is_io = code & 0xFF == sqlite3.SQLITE_IOERR and shutil.disk_usage(place).free < _ROOM_BYTES
    if code != sqlite3.SQLITE_FULL and not is_io:
        return None
    return NoRoomError(str(place), str(error), EXIT_CODES[Outcome.NOT_MEASURED])


def _is_empty(connection: sqlite3.Connection) -> bool:
    """Whether nobody has made a table, as where the first night was killed in that moment."""
    count = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    return bool(count == 0)


def _make(connection: sqlite3.Connection) -> None:
    connection.executescript(
        f"BEGIN; {TABLES} {COMPARISON} PRAGMA application_id = {APPLICATION}; "
        f"PRAGMA user_version = {VERSION}; COMMIT;"
    )


def _check(connection: sqlite3.Connection, path: Path) -> None:
    try:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.Error as error:
        raise _unreadable(path, error) from error
    if application != APPLICATION:
        raise StbuildError("this is no history of stbuild nightly", where=str(path), hint="move it away")
    if not 1 <= version <= VERSION:
        raise StbuildError(
            f"the history has version {version}, this stbuild reads up to {VERSION}",
            where=str(path),
            hint="use the stbuild that wrote it or a newer one, or name another folder with `results:`",
        )


def _unreadable(path: Path, error: sqlite3.Error) -> StbuildError:
    damaged = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
    hint = "restore it from a copy, or move it away" if damaged else "are the disk and its rights in order?"
    return StbuildError(f"the history cannot be opened: {error}", where=str(path), hint=hint)


def _shown(time_s: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time_s))
