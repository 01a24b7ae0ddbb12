"""What concerns the whole program of the catalogue of promises (P) and findings (SEC): each test bears its number."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from console.settings import KEYS
from runtime.sandbox.engine import ENGINE_VERSION

ROOT = Path(__file__).resolve().parents[2]


def modules(*folders: str) -> Iterator[tuple[Path, ast.Module]]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_p18_every_measurement_names_the_script_that_made_it() -> None:
    rows = {
        line.split("|")[1].strip()
        for line in (ROOT / "bench" / "RESULTS.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("| ") and not line.startswith("| row")
    } - {"---"}
    assert len(rows) > 5
    assert rows <= {path.stem.removeprefix("rows_") for path in (ROOT / "bench").glob("rows_*.py")}
    assert (ROOT / "bench" / "results.json").stat().st_size > 0


def test_p19_every_setting_is_used() -> None:
    """Read as an attribute outside the file that defines it."""
    read = {
        node.attr
        for path, tree in modules("console", "runtime")
        if path.name != "settings.py"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
    }
    assert {name for name, key in KEYS.items() if key.attribute not in read} == set()


def test_p20_the_hello_job_is_shipped_with_its_source() -> None:
    """That the wheel holds both is held where the wheel is built."""
    folder = ROOT / "assets" / "jobs" / "hello"
    assert {path.suffix for path in folder.iterdir()} >= {".c", ".wasm"}
    assert '"assets/**/*.wasm"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_sec00_advisories_are_asked_about_what_is_locked_by_hash() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    check = re.search(r"^check:(.*?)##", makefile, re.MULTILINE)
    assert check is not None
    assert {"audit", "lock-check"} <= set(check[1].split())
    assert "pip_audit" in (ROOT / "tools" / "audit.py").read_text(encoding="utf-8")
    for name in ("requirements.lock", "requirements-dev.lock", "requirements-guests.lock", "requirements-interop.lock"):
        lock = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
        lines = [line for line in lock.splitlines() if re.match(r"[a-z0-9]", line, re.IGNORECASE)]
        assert lines
        assert [line for line in lines if "==" not in line or "--hash=sha256:" not in line] == []


def test_sec02_the_engine_is_pinned_to_the_release_whose_behaviour_is_tested() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pinned = [line for line in project["dependencies"] if line.startswith("wasmtime")]
    assert pinned == [f"wasmtime=={ENGINE_VERSION}"]
    assert version("wasmtime") == ENGINE_VERSION


def test_sec12_nothing_is_read_with_a_format_that_can_hold_code() -> None:
    """JSON, TOML and SQL. `marshal` carries jobs to a worker, which trusts the console; never the other way."""
    found = {
        (path.name, name)
        for path, tree in modules("console", "boot", "net", "runtime", "assets")
        for name in imports(tree)
        if name.partition(".")[0] in {"pickle", "marshal", "shelve", "dbm", "yaml", "dill", "cloudpickle", "msgpack"}
    }
    assert found == {("wire.py", "marshal")}
    wire = (ROOT / "runtime" / "jobs" / "wire.py").read_text(encoding="utf-8")
    assert wire.count("marshal.loads(") == 1
    assert "marshal.loads(" in wire.partition("class Reply")[0]


def test_the_command_line_uses_only_the_public_names_of_jobs() -> None:
    """What it can do, every program can that imports `runtime.jobs`."""
    below = {
        (path.name, name) for path, tree in modules("console") for name in imports(tree) if "runtime.jobs." in name
    }
    assert below == set()


def test_sec03_no_name_of_a_worker_or_key_means_anything_by_itself() -> None:
    """The original believed whatever was called `local_execution`, and left out the check of the key then."""
    code = "import runtime.jobs.verify, runtime.jobs.manifest; print('ok')"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for path, tree in modules("console", "runtime"):
        texts = {
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        assert not texts & {"local_execution", "placeholder_pubkey", "placeholder_signature", "PLACEHOLDER"}, path
