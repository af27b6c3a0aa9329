"""What actions and people do that they should not: each trial lets one of them do it, and compares.

`trials` harms a build from outside; here a target, or a hand, changes what other targets read.
"""

import os
import stat
import time
from pathlib import Path

from stbuild.engine.local import landlock
from tests.conftest import WorkspaceFolder
from tests.engine.rig import PATIENCE_S, Rig, wait_for_silence

LATE = {
    "background": "({late}) &",
    "nohup": "nohup bash -c '{late}' > /dev/null 2>&1 &",
    "session": "setsid -f bash -c '{late}'",
    "two forks": "(setsid bash -c '{late}' &) ",
    "elsewhere": "(cd /; exec env -i HERE=$HERE setsid -f bash -c '{late}')",
}
"""Ways to start what goes on when the action has ended."""

HARM = {
    "mode": "chmod {mode} {path}",
    "time": "touch -d @{mode} {path}",
    "bytes": "cp -p {path} $TMPDIR/r; chmod u+w {path}; echo evil > {path}; touch -r $TMPDIR/r {path}; "
    "chmod 444 {path}",
    "other file": "cp -p {path} $TMPDIR/r; echo evil >> $TMPDIR/r; mv -f $TMPDIR/r {path}",
    "append": "chmod u+w {path}; echo late >> {path}",
}


def intrude(rig: Rig, space: WorkspaceFolder, script: str) -> None:
    """Build a target that runs a script beside all others; then everything must be right without it."""
    space.write("q/script.sh", f"echo first > out/q.txt\n{script}\ntrue\n")
    inputs = [f"//p:n{layer}_{number}" for layer in (0, 2) for number in (0, 1)]
    srcs = ", ".join(f"'{each}'" for each in inputs)
    space.build_file(
        "q", f"genrule: {{name: q, srcs: [script.sh, {srcs}], outs: [q.txt], cmd: 'bash in/q/script.sh'}}"
    )
    done = space.run("//...", *rig.flags, "--keep-going", timeout_s=PATIENCE_S)
    assert "Traceback" not in done.err, done.err
    wait_for_silence(space)
    made = space.output("q/q.txt")
    text = made.read_text() if made.exists() else ""
    time.sleep(0.3)
    assert (made.read_text() if made.exists() else "") == text, "written after its action had ended"
    if done.code == 0:
        assert text in ("first\n", "first\nlate\n"), text
    for path in (space.root / "q").iterdir():
        path.unlink()
    (space.root / "q").rmdir()
    for each in rig.spaces:
        rig.check(each)
    told = space.run("cache", "verify", timeout_s=PATIENCE_S).out
    if _walled(rig):  # Without a wall an action can reach blobs; a build that asks for one finds it damaged.
        assert told == "every file is sound\n", told


def _walled(rig: Rig) -> bool:
    return bool(landlock.version()) and "--sandbox=off" not in rig.flags


def victim(rig: Rig, space: WorkspaceFolder) -> str:
    """A path by which an action may know a file of another: an input of its own, an output, a blob."""
    name = f"n{rig.random.choice([0, 2])}_{rig.random.randrange(2)}.txt"
    output = space.output(f"p/{name}")
    match rig.random.randrange(3):
        case 0:
            return f"in/p/{name}"
        case 1:
            return str(output)
    return str(blob(space, output))


def blob(space: WorkspaceFolder, output: Path) -> Path:
    """The blob that an output shows; the output itself where a former trial has taken its blob away."""
    return next((each for each in space.cache.glob("cas/*/*") if each.samefile(output)), output)


def trial_background(rig: Rig, space: WorkspaceFolder) -> None:
    """A child that writes to its action's output, or to what is another's, when the action has ended."""
    rig.edit()
    way = LATE[rig.random.choice(sorted(LATE))]
    path = rig.random.choice(["$HERE/out/q.txt", "$HERE/" + victim(rig, space)])
    path = path.replace("$HERE//", "/")
    opened = rig.random.choice(["exec >> {0}; sleep {1}; echo late", "sleep {1}; echo late >> {0}"])
    late = "chmod u+w {0}; " + opened if rig.random.random() < 0.5 else opened
    late = late.format(path, rig.random.choice(["0", "0.02", "0.2"]))
    intrude(
        rig, space, f"HERE=$PWD; export HERE\n{way.format(late=late)}\nsleep 0.0{rig.random.randrange(5)}"
    )


def trial_action_harms(rig: Rig, space: WorkspaceFolder) -> None:
    """An action that changes mode, time or bytes of what it reads, or of what it has no business with."""
    rig.edit()
    harm = HARM[rig.random.choice(sorted(HARM))]
    mode = rig.random.choice(["644", "000", "755", "555"])
    pause = f"sleep 0.0{rig.random.randrange(9)}"
    intrude(rig, space, f"{pause}\n{harm.format(path=victim(rig, space), mode=mode)}\n{pause}")


def trial_hand_harms(rig: Rig, space: WorkspaceFolder) -> None:
    """Modes, and bytes with the time kept, of outputs and blobs; sometimes while a build runs."""
    running = rig.random.random() < 0.3
    if running:
        rig.edit()
        process = space.start("//...", *rig.flags, "--keep-going")
        time.sleep(rig.random.uniform(0.1, 0.9))
    outputs = sorted(space.output("p").glob("*.txt"))
    blobs = sorted(space.cache.glob("cas/*/*"))
    for path in rig.random.sample([*outputs, *blobs], 3):
        _harm(rig, path)
    if running:
        _, err = process.communicate(timeout=PATIENCE_S)
        assert "Traceback" not in err, err
    if rig.random.random() < 0.3:
        space.ok("clean")
    for each in rig.spaces:
        rig.check(each)
    space.run("cache", "verify", timeout_s=PATIENCE_S)  # Drops harmed blobs that no build has asked for.


def _harm(rig: Rig, path: Path) -> None:
    try:
        status = path.stat()
        if rig.random.random() < 0.5:
            path.chmod(rig.random.choice([0o644, 0o000, 0o755, 0o400, 0o4444]))
            return
        path.chmod(0o644)
        with path.open("r+b") as stream:
            stream.write(b"evil"[: status.st_size])
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        path.chmod(stat.S_IMODE(status.st_mode))
    except FileNotFoundError:
        return


def trial_path_in_workspace(rig: Rig, space: WorkspaceFolder) -> None:
    """PATH leads into the workspace: an undeclared read is still refused, and what is declared is right."""
    (space.root / "bin").mkdir(exist_ok=True)
    space.env["PATH"] = f"{space.root / 'bin'}:{os.environ['PATH']}"
    try:
        name = rig.random.choice(sorted(rig.sources))
        space.build_file("q", f"genrule: {{name: q, outs: [q.txt], cmd: 'cat {space.root}/p/{name} > $@'}}")
        done = space.run("//q:q", *rig.flags, timeout_s=PATIENCE_S)
        assert done.code == (1 if _walled(rig) else 0), done.err
        (space.root / "q/BUILD.yaml").unlink()
        (space.root / "q").rmdir()
        rig.check(space)
    finally:
        del space.env["PATH"]


KINDS = (
    trial_background,
    trial_background,
    trial_action_harms,
    trial_action_harms,
    trial_hand_harms,
    trial_hand_harms,
    trial_path_in_workspace,
)
