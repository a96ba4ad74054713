"""The contenders of `peers.py`, as the package registries have them, in a folder that is kept from one run to the next.

Wheels and prebuilt binaries only: what would need a compiler is left out. spider-rs comes from npm, where it has
binaries for Linux and macOS; on PyPI it is source code.
"""

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterable
from pathlib import Path

from tests.benchmarks.processes import environment

REQUIREMENTS = {"scrapy": "scrapy", "crawlee": "crawlee[parsel]"}
SPIDER = "0.0.157"  # the newest version with a binary for Linux
PLATFORM = 'process.platform + "-" + process.arch + (process.platform === "linux" ? "-gnu" : "")'
SPIDER_VERSION = 'require("@spider-rs/spider-rs"); console.log("Node.js", process.version)'


def cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "crawler-peers")


def peers(folder: Path) -> str:
    """The interpreter of a virtual environment in a folder, with whichever of the peers can be installed."""
    python = folder / "venv" / "bin" / "python"
    if not python.exists():
        say(f"making a virtual environment in {folder}")
        venv.create(folder / "venv", with_pip=True)
    for name, requirement in REQUIREMENTS.items():
        if not has(str(python), name):
            say(f"installing {requirement}")
            command = [str(python), "-m", "pip", "install", "-qq", "--only-binary", ":all:", requirement]
            subprocess.run(command, stdout=sys.stderr)
    return str(python)


def has(python: str, package: str) -> bool:
    return not subprocess.run([python, "-c", f"import {package}"], env=environment(), capture_output=True).returncode


def spider(folder: Path) -> Path | None:
    """The folder of Node.js packages that has spider-rs; None where that is not to be had."""
    if not (shutil.which("node") and shutil.which("npm")):
        return None
    packages = folder / "node_modules"
    if node(SPIDER_VERSION, packages) is None:
        say("installing spider-rs")
        names = ["@spider-rs/spider-rs", f"@spider-rs/spider-rs-{node(f'console.log({PLATFORM})', packages)}"]
        command = ["npm", "install", "--prefix", str(folder), "--ignore-scripts", "--silent"]
        subprocess.run([*command, *(f"{name}@{SPIDER}" for name in names)], stdout=sys.stderr)
    return None if node(SPIDER_VERSION, packages) is None else packages


def node(program: str, packages: Path) -> str | None:
    """What a program for Node.js prints; None when it fails."""
    variables = environment() | {"NODE_PATH": str(packages)}
    done = subprocess.run(["node", "-e", program], env=variables, capture_output=True, text=True)
    return None if done.returncode else done.stdout.strip()


def versions(python: str, packages: Iterable[str], more: dict[str, str]) -> str:
    """The versions of an interpreter, its SQLite and its packages; `more` are variables of its environment."""
    program = (
        "import platform, sqlite3, sys; from importlib.metadata import version; "
        "print(f'Python {platform.python_version()}', f'SQLite {sqlite3.sqlite_version}', "
        "*(f'{name} {version(name)}' for name in sys.argv[1:]), sep=', ')"
    )
    command = [python, "-c", program, *packages]
    done = subprocess.run(command, env=environment() | more, cwd="/", capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{python}: {done.stderr}")
    return done.stdout.strip()


def say(text: str) -> None:
    print(text, file=sys.stderr)
