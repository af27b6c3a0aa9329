"""From an action to a job: real programs for names, and an environment that holds only what is declared."""

import os
import sys
from pathlib import Path

from stbuild import layout
from stbuild.engine.execution.folders import ActionDir
from stbuild.engine.graph.action import Action
from stbuild.engine.keys.closure import python_paths
from stbuild.engine.keys.tools import ToolBox
from stbuild.engine.local.executor import Job

_NETWORK = (
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_CONFIG_FILE",
    "PIP_CERT",
    "PIP_CACHE_DIR",
    "PIP_TRUSTED_HOST",
    "XDG_CONFIG_HOME",
)

BASE_ENV = {
    "LC_CTYPE": "C.UTF-8",  # unnamed, the rest is C too: eleven files less to read at every start
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
    "SOURCE_DATE_EPOCH": "315532800",
    "TZ": "UTC",
}


def job_for(
    number: int,
    action: Action,
    action_dir: ActionDir,
    tools: ToolBox,
    wall: dict[str, object],
    given: dict[str, str],
) -> Job:
    """The job that runs `action` in its folder, behind the `wall` of a sandbox, with variables `given`."""
    return Job(
        id=number,
        argv=real_argv(action, tools),
        folder=action_dir.folder,
        env={**environment(action, action_dir.folder, tools), **given},
        log=action_dir.log,
        timeout_s=action.policy.timeout_s,
        memory_mb=action.policy.resources.memory_mb,
        sandbox=wall,
    )


def real_argv(action: Action, tools: ToolBox) -> tuple[str, ...]:
    """The argv with this machine's paths of Python and of the declared tools."""
    first, *rest = action.argv
    if action.module and first == "python":
        return (sys.executable, "-P", "-s", *rest)
    if first in action.tools:
        return (tools.of_action(action, first).path, *rest)
    if "/" not in first:
        return (tools.search.locate(first) or first, *rest)
    return action.argv


def environment(action: Action, folder: str, tools: ToolBox) -> dict[str, str]:
    """What an action sees: fixed values, PATH, a home and temp folder of its own, and what it declares."""
    env = {
        **BASE_ENV,
        "PATH": tools.search.for_programs(tools.paths(action)),
        "HOME": f"{folder}/tmp",
        "TMPDIR": f"{folder}/tmp",
    }
    libraries = tools.search.libraries(os.environ.get("LD_LIBRARY_PATH", ""))
    if libraries:
        env["LD_LIBRARY_PATH"] = libraries
    passed = (*action.policy.pass_env, *(_NETWORK if action.policy.network else ()))
    env.update((name, os.environ[name]) for name in passed if name in os.environ)
    if action.policy.network:
        env.setdefault("STBUILD_DOWNLOADS", str(layout.downloads_dir()))
        config = Path.home() / ".config/pip/pip.conf"
        if config.is_file():
            env.setdefault("PIP_CONFIG_FILE", str(config))
    if action.module:
        env["PYTHONPATH"] = os.pathsep.join(python_paths(action.module))
    env.update(action.policy.given)
    env.update(action.env)
    return env
