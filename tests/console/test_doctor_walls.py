"""What the doctor says of the kernel's walls around the workers of jobs and of components."""

from pathlib import Path

import pytest

from console import doctor
from console.doctor import Check
from runtime.jobs import confinement
from runtime.jobs.confine import Confinement


def kernel(monkeypatch: pytest.MonkeyPatch, walls: Confinement) -> Check:
    monkeypatch.setattr(doctor, "confinement", lambda: walls)
    return doctor.CHECKS["kernel"](Path("/nowhere"), {})


def test_it_says_what_stands_around_jobs_and_components(monkeypatch: pytest.MonkeyPatch) -> None:
    check = kernel(monkeypatch, Confinement(seccomp=True, landlock=6))
    assert (check.state, check.todo) == ("ok", "")
    assert check.result.endswith("seccomp and Landlock 6 stand around every job and component")


def test_it_says_where_the_kernel_does_not_hold_the_ports_of_components(monkeypatch: pytest.MonkeyPatch) -> None:
    check = kernel(monkeypatch, Confinement(seccomp=True, landlock=3))
    assert check.state == "ok"
    assert check.result.endswith("every job and component; it holds ports of components from version 4 on")


@pytest.mark.parametrize(
    ("walls", "missing"),
    [
        (Confinement(seccomp=False, landlock=6), "no seccomp (a filter of system calls)"),
        (Confinement(seccomp=True, landlock=0), "no Landlock (a wall around files)"),
        (
            Confinement(seccomp=False, landlock=0),
            "no seccomp (a filter of system calls), no Landlock (a wall around files)",
        ),
    ],
)
def test_it_names_each_wall_that_is_missing_and_who_goes_without(
    monkeypatch: pytest.MonkeyPatch, walls: Confinement, missing: str
) -> None:
    check = kernel(monkeypatch, walls)
    assert check.state == "info"
    assert check.result.endswith(missing)
    assert check.todo.startswith("jobs and components run without")


def test_it_speaks_of_this_kernel(tmp_path: Path) -> None:
    walls = confinement()
    check = doctor.CHECKS["kernel"](tmp_path, {})
    assert check.state == ("info" if walls.missing else "ok")
    assert all(name in check.result for name in walls.missing)
