"""Homes for the program: one where nothing runs, one that an owner holds."""

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.program import Owner, command, environment, orlop


@pytest.fixture(scope="module")
def owner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Owner]:
    """`orlop --no-ui`, ready, on a home of its own; told to end after the module's tests."""
    home = tmp_path_factory.mktemp("owned")
    process = subprocess.Popen(
        command("--no-ui"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(home), cwd=home
    )
    assert process.stdout is not None
    assert process.stderr is not None
    found = Owner(home, process)
    for line in process.stdout:
        found.take(line)
        if found.records[-1]["type"] == "core.ready":
            break
    stdout = process.stdout
    reader = threading.Thread(target=lambda: [found.take(line) for line in stdout])
    reader.start()
    yield found
    process.terminate()
    said = process.stderr.read()
    reader.join()
    assert process.wait(30) == 143
    process.stdout.close()
    process.stderr.close()
    assert said == b""


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a state directory on which nothing runs."""
    path = tmp_path_factory.mktemp("alone")
    assert orlop(path, "init", "--yes").code == 0
    return path


@pytest.fixture(scope="module")
def owned(owner: Owner) -> Path:
    """A home that an owner holds; the faster one, since everything is warm there."""
    return owner.home


@pytest.fixture(scope="module", params=["alone", "owned"])
def home(request: pytest.FixtureRequest) -> Path:
    """A home with a state directory: once without an owner, once with one."""
    path: Path = request.getfixturevalue(request.param)
    return path
