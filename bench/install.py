"""Installs peers with their own tools, at the versions pinned in their folders, and says which they are.

What is installed goes to a cache folder. Must not know how peers are measured.
"""
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path


def _run(command, folder, **environment):
    subprocess.run(command, cwd=folder, check=True, stdout=2, env=dict(os.environ, **environment))


def _node(peer, cache):
    package = os.path.join(peer, "package.json")
    stamp = os.path.join(cache, ".installed")
    with open(package, "rb") as file:
        pins = hashlib.sha256(file.read()).hexdigest()
    if not os.path.exists(stamp) or Path(stamp).read_text() != pins:
        shutil.copy(package, cache)
        _run(["npm", "install", "--no-audit", "--no-fund", "--loglevel=error"], cache)
        with open(stamp, "w") as file:
            file.write(pins)
    with open(package) as file:
        pinned = json.load(file)["dependencies"]
    node = subprocess.check_output(["node", "--version"], text=True).strip()
    return f"Node {node}, " + ", ".join(f"{name} {version}" for name, version in pinned.items())


def _rust(peer, cache):
    _run(["cargo", "build", "--release", "--locked", "--quiet"], peer,
         CARGO_TARGET_DIR=os.path.join(cache, "target"))
    return subprocess.check_output(["cargo", "--version"], text=True).strip()


def _debian(peer, _cache):
    with open(os.path.join(peer, "apt.txt")) as file:
        packages = file.read().split()
    version = ["dpkg-query", "-W", "-f=${Package} ${Version}, ", *packages]
    if subprocess.run(version, check=False, capture_output=True).returncode != 0:
        _run(["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages], peer,
             DEBIAN_FRONTEND="noninteractive")
    return subprocess.check_output(version, text=True).rstrip(", ")


def install(peer, cache):
    """Makes the peer in this folder ready; returns its version, for people."""
    os.makedirs(cache, exist_ok=True)
    for name, way in (("package.json", _node), ("Cargo.toml", _rust), ("apt.txt", _debian)):
        if os.path.exists(os.path.join(peer, name)):
            return way(peer, cache)
    return subprocess.check_output([os.environ["CHICORY"], "--version"], text=True).strip()
