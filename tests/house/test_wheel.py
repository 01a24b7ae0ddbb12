"""The wheel: what it holds, that its top-level names are ours alone, and that it runs where it is installed."""

import subprocess
import sys
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {"console", "boot", "net", "runtime", "assets"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*command, "--no-build-isolation", "-w", str(folder), str(ROOT)], check=True, capture_output=True)
    (found,) = folder.glob("orlop-*.whl")
    return found


def test_its_top_level_names_are_the_packages_of_the_house(wheel: Path) -> None:
    names = {Path(name).parts[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {name for name in names if not name.endswith(".dist-info")} == PACKAGES


def test_it_holds_the_guests_with_their_sources_and_manifests(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    tracked = subprocess.run(["git", "ls-files", "assets"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert "assets/agents/faulty/faulty.wasm" in names
    assert set(tracked.split()) <= names


def test_it_holds_the_style_sheet_and_no_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert any(name.endswith(".tcss") for name in names)
    assert not [name for name in names if name.startswith(("tests/", "snapshots/", "bench/", "docs/"))]


def test_installed_elsewhere_it_runs_a_job_and_verifies_its_receipt(wheel: Path, tmp_path: Path) -> None:
    target = tmp_path / "site"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*command, "--target", str(target), str(wheel)], check=True, capture_output=True)
    start = f"import sys; sys.path.insert(0, {str(target)!r}); from console.__main__ import main; sys.exit(main())"
    hello = target / "assets/jobs/hello/hello.wasm"
    receipt = tmp_path / "receipt.json"
    program = [sys.executable, "-I", "-c", start, "--state-dir", str(tmp_path / "state")]
    run = subprocess.run(
        [*program, "jobs", "run", str(hello), "--stdin", "-", "--receipt", str(receipt)],
        input=b"Hello, World",
        capture_output=True,
        cwd=tmp_path,
        check=False,
    )
    assert (run.returncode, run.stdout) == (0, b"dlroW ,olleH"), run.stderr
    verified = subprocess.run([*program, "receipts", "verify", str(receipt)], capture_output=True, check=False)
    assert verified.returncode == 0, verified.stdout


def test_nobody_else_in_the_environment_has_a_package_of_our_names() -> None:
    # An editable installation names nobody; an installed wheel names us. Anybody else would be shadowed, or shadow us.
    owners = {name: packages_distributions().get(name, []) for name in PACKAGES}
    assert all(set(found) <= {"orlop"} for found in owners.values()), owners
