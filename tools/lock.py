"""Writes or checks the lock files: every package that is installed, with the hashes of its files.

`--check` resolves again from the pins that stand and fails when the outcome differs, that is, when `pyproject.toml`
changed without the lock. A registry that cannot be reached is "could not check": a warning, exit 0.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

LOCKS = {
    "requirements.lock": ["--group", "build", "pyproject.toml"],
    "requirements-dev.lock": ["--group", "build", "--group", "dev", "pyproject.toml"],
    "requirements-guests.lock": ["--group", "guests"],
    "requirements-interop.lock": ["--group", "interop"],
}


def resolve(name: str, sources: list[str], text: str) -> str | None:
    """The lock that `uv` makes of `sources`, keeping the pins of `text`; None when the registry cannot be reached."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, name)
        if text:
            out.write_text(text)
        command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--generate-hashes", "--universal"]
        command += ["--python-version", "3.11", "--no-emit-index-url", "--no-header", "-o", str(out), *sources]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode:
            print(f"orlop: lock: {name}: {run.stderr.strip()}", file=sys.stderr)
            return None
        return out.read_text()


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--write", action="store_true")
    mode.add_argument("--check", action="store_true")
    write = parser.parse_args().write
    stale = []
    for name, sources in LOCKS.items():
        path = Path(name)
        old = path.read_text() if path.exists() else ""
        new = resolve(name, sources, old)
        if new is None:
            if write:
                return 1
            print(f"orlop: lock: {name}: could not check", file=sys.stderr)
        elif write:
            path.write_text(new)
        elif new != old:
            stale.append(name)
    for name in stale:
        print(f"orlop: lock: {name}: does not fit pyproject.toml; run make lock", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
