"""Who may import whom; ARCHITECTURE.md tells why."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TORCH = {"torch", "transformers"}

ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "layout": set(),
    "limits": set(),
    "platform": {"errors"},
    "platform_file": {"platform", "errors", "limits"},
    "target": {"errors"},
    "step": {"errors"},
    "ir": {"errors", "limits"},
    "ops": {"ir", "errors"},
    "package": {"errors"},
    "frontend": {"ir", "ops", "errors", "limits"},
    "reference": {"ir", "ops", "errors"},
    "network": {"ir", "ops", "errors"},
    "resources": {"ir", "ops", "platform", "errors"},
    "passes": {"ir", "ops", "network", "platform", "errors", "limits", "timing", "resources"},
    "pack": {"ir", "ops", "errors"},
    "codegen": {"ir", "ops", "platform", "errors"},
    "timing": {"ir", "platform", "errors", "limits"},
    "toolchain": {"platform", "errors", "layout", "api", "providers", "package", "step"},
    "runtime": {"package", "errors", "layout"},
    "engine": {"errors", "layout", "platform", "platform_file", "target", "step"},
    "chain": {
        *("frontend", "reference", "ir", "ops", "passes", "codegen", "timing", "pack"),
        *("package", "runtime", "platform", "step", "errors"),
    },
    "steps": {
        *("chain", "frontend", "reference", "ir", "ops", "passes", "resources", "codegen", "timing", "pack"),
        *("package", "runtime", "platform", "step", "errors", "layout"),
    },
    "providers": {"platform", "errors", "engine"},  # of the engine only File and Tree, which rules hand on
    "api": {"engine", "platform", "target", "providers", "errors"},
    "console": {"errors", "engine"},
    "report": {"nightly", "errors"},
    "library": {"engine", "console", "frontend", "runtime", "package", "errors", "layout"},
    "publish": {"library", "engine", "runtime", "package", "errors", "layout"},
    "nightly": {"library", "engine", "chain", "runtime", "package", "errors", "layout"},
    "cli": {
        "report",
        "nightly",
        "publish",
        "library",
        "engine",
        "console",
        "api",
        "errors",
        "layout",
        "runtime",
        "toolchain",
    },
    "__main__": {"engine", "cli"},
}
"""What each part of stbuild may import of the others."""

ENGINE: dict[str, set[str]] = {
    "graph": set(),
    "keys": {"graph"},
    "store": {"graph", "keys"},
    "repeat": {"graph", "keys"},
    "record": {"graph", "repeat"},
    "load": {"graph", "keys"},
    "local": set(),
    "execution": {"graph", "keys", "store", "record", "local"},
    "session": {"graph", "keys", "store", "repeat", "record", "load", "local", "execution"},
}
"""What each part of the engine may import of the others."""

PLUGINS = {
    "rules": {"api", "steps", "providers", "limits"},
    "platforms": {"api", "platform"},
    "targets": {"api", "toolchain"},
}


def part_of(path: Path) -> str:
    """The part of stbuild that a file belongs to."""
    relative = path.relative_to(ROOT / "stbuild")
    return relative.parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """The dotted names that a file imports, except for annotations only."""
    found: set[str] = set()
    pending: list[ast.AST] = [ast.parse(path.read_text())]
    while pending:
        node = pending.pop()
        match node:
            case ast.Import():
                found.update(alias.name for alias in node.names)
            case ast.ImportFrom(module=str(module), level=0):
                found.update(f"{module}.{alias.name}" for alias in node.names)
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                pending += node.orelse
            case _:
                pending += ast.iter_child_nodes(node)
    return found


def parts_imported(path: Path) -> set[str]:
    """The parts of stbuild that a file imports."""
    return {name.split(".")[1] for name in imports(path) if name.startswith("stbuild.")}


SOURCES = sorted(path for path in (ROOT / "stbuild").rglob("*.py") if "_builtin" not in path.parts)


@pytest.mark.parametrize("part", sorted({part_of(path) for path in SOURCES} - {"__init__"}))
def test_a_part_imports_only_what_it_may(part: str) -> None:
    assert part in ALLOWED, f"stbuild/{part} has no row in the table"
    wrong = {
        f"{path.relative_to(ROOT)} imports {other}"
        for path in SOURCES
        if part_of(path) == part
        for other in parts_imported(path) - ALLOWED[part] - {part, "__version__"}
    }
    assert not wrong


@pytest.mark.parametrize("part", sorted(ENGINE))
def test_a_part_of_the_engine_imports_only_what_it_may(part: str) -> None:
    place = ROOT / "stbuild/engine" / part
    sources = sorted(place.glob("*.py")) or [place.with_suffix(".py")]
    wrong = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources
        for name in imports(path)
        if name.startswith("stbuild.engine.") and name.split(".")[2] not in ENGINE[part] | {part}
    }
    assert not wrong


def test_every_part_of_the_engine_has_a_row() -> None:
    found = {path.stem for path in (ROOT / "stbuild/engine").iterdir() if not path.name.startswith("__")}
    assert found == set(ENGINE)


@pytest.mark.parametrize("kind", sorted(PLUGINS))
def test_plugins_import_only_the_api(kind: str) -> None:
    wrong = {
        f"{path.relative_to(ROOT)} imports {other}"
        for path in (ROOT / kind).glob("*.py")
        for other in parts_imported(path) - PLUGINS[kind]
    }
    assert not wrong


def test_nobody_imports_plugins() -> None:
    wrong = {
        str(path.relative_to(ROOT))
        for path in SOURCES
        if {name.partition(".")[0] for name in imports(path)} & {"rules", "platforms", "targets"}
    }
    assert not wrong


def test_only_frontend_and_reference_import_torch() -> None:
    users = {path for path in SOURCES if {name.partition(".")[0] for name in imports(path)} & TORCH}
    wrong = {str(path.relative_to(ROOT)) for path in users if part_of(path) not in ("frontend", "reference")}
    own_model = {"stbuild/chain/english.py", "stbuild/chain/float_run.py"}  # run the float model itself
    assert wrong <= own_model
