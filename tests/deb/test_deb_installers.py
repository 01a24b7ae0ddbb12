"""The wheel by the two usual installers of programs in Python: a `orlop` of its own, which runs a job."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.deb, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)], cwd=source, check=True)
    (found,) = out.glob("*.whl")
    return found


def runs_a_job(program: Path, state: Path) -> None:
    hello = ROOT / "assets/jobs/hello/hello.wasm"
    command = [str(program), "--state-dir", str(state), "jobs", "run", str(hello), "--stdin", "-"]
    done = subprocess.run(command, input=b"Hello, World", capture_output=True, check=False, cwd=state.parent)
    assert (done.returncode, done.stdout) == (0, b"dlroW ,olleH"), done.stderr


def test_uv_installs_it_as_a_tool(wheel: Path, tmp_path: Path) -> None:
    places = {"UV_TOOL_DIR": str(tmp_path / "tools"), "UV_TOOL_BIN_DIR": str(tmp_path / "bin")}
    command = [sys.executable, "-m", "uv", "tool", "install", "--quiet", "--python", sys.executable, str(wheel)]
    subprocess.run(command, env={**os.environ, **places}, check=True)
    runs_a_job(tmp_path / "bin/orlop", tmp_path / "state")


def test_pipx_installs_it(wheel: Path, tmp_path: Path) -> None:
    places = {"PIPX_HOME": str(tmp_path / "pipx"), "PIPX_BIN_DIR": str(tmp_path / "bin"), "USE_EMOJI": "0"}
    command = ["pipx", "install", "--python", sys.executable, str(wheel)]
    subprocess.run(command, env={**os.environ, **places}, check=True)
    runs_a_job(tmp_path / "bin/orlop", tmp_path / "state")
