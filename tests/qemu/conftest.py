"""One release for all tests, built anew in each run; journeys of machines, two at a time."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.qemu.laboratory import Journey, Laboratory, Runs
from tests.qemu.matrix import PAGE, page
from tests.qemu.release import Release, built


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """Built and signed; packages of Debian are kept in `build/boot` from one run to the next."""
    folder = tmp_path_factory.mktemp("release")
    return built(folder / "home", folder / "release")


@pytest.fixture(scope="session")
def laboratory(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Laboratory:
    """Where machines are booted."""
    return Laboratory(tmp_path_factory.mktemp("machines"), release)


@pytest.fixture(scope="session")
def runs(laboratory: Laboratory, request: pytest.FixtureRequest) -> Iterator[Runs]:
    """All journeys that the chosen tests look at, begun."""
    specs = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
    wanted: dict[Journey, None] = dict.fromkeys(params["seen"] for params in specs if "seen" in params)
    with Runs(laboratory, wanted) as runs:
        yield runs
        whole = {item.path for item in request.session.items} >= set(Path(__file__).parent.glob("test_*.py"))
        part = "BOOTED" in os.environ  # then the rows of what was not booted stay as they are
        if request.session.testsfailed or not runs.went_well or (request.config.option.keyword and not part):
            return
        if whole or part:
            before = PAGE.read_text(encoding="utf-8") if part and PAGE.exists() else ""
            image = laboratory.release.folder / "image.json"
            PAGE.write_text(page(runs.outcomes.values(), image, before), encoding="utf-8")


@pytest.fixture
def seen(request: pytest.FixtureRequest, runs: Runs) -> Any:
    """What the journey of this test saw."""
    return runs.of(request.param)
