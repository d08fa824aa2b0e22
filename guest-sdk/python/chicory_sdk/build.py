"""Builds a component from a project: WIT, glue, componentize-py, and the metadata of its tasks."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from .kept import digest, kept
from .project import BuildError, Project, find
from .tasks import Task, metadata
from .world import world

GLUE = '''"""The module that componentize-py wraps."""
import {module}
from chicory_sdk.guest import world
WitWorld = world()
'''
SECTION = "chicory-manifest"
HTTP_WIT = Path(__file__).resolve().parent / "wit" / "http.wit"
INTERFACES = [word for name in ("chicory:task/types@0.1.0=types", "wasi:http/types@0.2.0=http_types")
              for word in ("--import-interface-name", name)]
"""What the SDK calls the two interfaces whose names would clash."""
CLASH = "duplicate items detected when collecting"
"""What componentize-py panics with where an export and a symbol of its C library have one name."""


def build(folder: Path, output: Path | None, cache: Path | None = None) -> Path:
    """Builds the project in `folder`; the component's path. `cache` is a folder for what was built before:
    componentize-py never makes the same bytes twice."""
    if find_spec("componentize_py") is None:
        raise BuildError("componentize-py is missing: pip install 'componentize-py>=0.25,<0.26'")
    project = find(folder)
    output = (output or project.dir / "build" / f"{project.name}.wasm").resolve()
    tasks = project.tasks()
    wit = world(tasks, http=uses_http())
    made_of = [version("componentize-py"), project.module, wit]
    beside = [project.dir / name for name in ("cases.toml", f"{project.name}.toml", "README.md")]
    key = digest(made_of, [*places(project), contract().parent], without=beside)
    wasm = kept(cache, key, lambda: componentize(project, wit))
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_bytes(wasm + section(SECTION, lines(tasks)))
    return output


def uses_http() -> bool:
    """Whether what was imported with the project's module has imported the SDK's HTTP."""
    return "chicory_sdk.http" in sys.modules


def places(project: Project) -> list[Path]:
    """Where the component's Python finds modules: the project's, its dependencies, and this SDK."""
    sdk = Path(__file__).resolve().parent.parent
    return [path for path in (project.dir, project.packages(), sdk) if path.is_dir()]


def componentize(project: Project, wit: str) -> bytes:
    """Runs componentize-py in an empty folder."""
    with tempfile.TemporaryDirectory(prefix="chicory-") as name:
        scratch = Path(name)
        deps = scratch / "wit" / "deps" / "chicory"
        deps.mkdir(parents=True)
        shutil.copy(contract(), deps / "task.wit")
        (scratch / "wit" / "world.wit").write_text(f"{wit}\n{HTTP_WIT.read_text()}")
        (scratch / "chicory_app.py").write_text(GLUE.format(module=project.module))
        out = scratch / "out.wasm"
        command = [sys.executable, "-c", "import componentize_py; componentize_py.script()",
                   "--quiet", "-d", "wit", "-w", "module", *INTERFACES, "componentize", "chicory_app", "-o", str(out)]
        for path in [scratch, *places(project)]:
            command += ["-p", str(path)]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"}
        ran = subprocess.run(command, cwd=scratch, env=environment, capture_output=True, text=True, check=False)
        if CLASH in ran.stderr:
            raise BuildError("componentize-py can't build a task that has the name of a C library function"
                             " (read, write, open, send, …): rename the task")
        if ran.returncode != 0 or not out.exists():
            raise BuildError(f"componentize-py failed:\n{ran.stdout}{ran.stderr}")
        return out.read_bytes()


def contract() -> Path:
    """The WIT of what a task may import: beside this file in an installed SDK, else in the repository."""
    here = Path(__file__).resolve()
    places = [here.parent / "wit" / "task.wit", here.parents[3] / "wit" / "task.wit"]
    found = next((place for place in places if place.exists()), None)
    if found is None:
        raise BuildError(f"the SDK is incomplete: there is no {places[0]}")
    return found


def lines(tasks: list[Task]) -> bytes:
    """The tasks' settings, as JSON objects, one per line."""
    told = [(one.name, metadata(one)) for one in tasks]
    return "".join(
        json.dumps({"tasks": {name: settings}}, ensure_ascii=False) + "\n"
        for name, settings in told if settings
    ).encode()


def section(name: str, content: bytes) -> bytes:
    """A custom section of a WebAssembly binary; nothing where there is no content."""
    if not content:
        return b""
    body = leb128(len(name)) + name.encode() + content
    return b"\0" + leb128(len(body)) + body


def leb128(number: int) -> bytes:
    """An unsigned number as WebAssembly writes it."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)
