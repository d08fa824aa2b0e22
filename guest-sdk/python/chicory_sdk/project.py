"""Finds a folder's tasks: which module they are in, and what it depends on."""

import importlib
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from .tasks import REGISTERED, Task


class BuildError(Exception):
    """An error in a project, for its author."""


@dataclass
class Project:
    """A folder with tasks."""

    dir: Path
    module: str
    name: str

    def packages(self) -> Path:
        """Where the project's dependencies are."""
        return self.dir / ".chicory" / "packages"

    def tasks(self) -> list[Task]:
        """Imports the module, and answers with the tasks that it registered, in their order."""
        self.install()
        sys.path[:0] = [str(self.dir), str(self.packages())]
        REGISTERED.clear()
        try:
            importlib.import_module(self.module)
        except Exception as error:
            raise BuildError(f"{self.module}.py can't be imported: {type(error).__name__}: {error}") from error
        if not REGISTERED:
            raise BuildError(f"{self.module}.py has no task: decorate a function with `@task`")
        return list(REGISTERED.values())

    def install(self) -> None:
        """Installs what requirements.txt lists, unless that is done."""
        wanted = self.dir / "requirements.txt"
        done = self.packages() / "requirements.txt"
        if not wanted.exists() or (done.exists() and done.read_text() == wanted.read_text()):
            return
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                   "--no-input", "--root-user-action=ignore", "--upgrade",
                   "--target", str(self.packages()), "-r", str(wanted)]
        if subprocess.run(command, cwd=self.dir, check=False).returncode != 0:
            raise BuildError(f"{wanted} can't be installed; see pip's output above")
        done.write_text(wanted.read_text())


def find(folder: Path) -> Project:
    """The project in a folder: `[tool.chicory] module` of its pyproject.toml, or else app.py, or the
    only Python file."""
    folder = folder.resolve()
    settings = {}
    if (folder / "pyproject.toml").exists():
        settings = tomllib.loads((folder / "pyproject.toml").read_text())
    module = settings.get("tool", {}).get("chicory", {}).get("module")
    name = settings.get("project", {}).get("name", folder.name)
    if module:
        return Project(folder, module, name)
    files = [file for file in sorted(folder.glob("*.py")) if not file.name.startswith("test")]
    chosen = [file for file in files if file.name == "app.py"] or files
    if len(chosen) != 1:
        raise BuildError(
            f"{folder} has {len(files)} Python files and no app.py: write the tasks there, or name their"
            " module in pyproject.toml: [tool.chicory] module = \"…\""
        )
    return Project(folder, chosen[0].stem, name)
