"""What the first stage loads: the standard library, `cryptography`, little of ours; more only for those who need it."""

import subprocess
import sys
from pathlib import Path

import pytest

from boot.image.imports import OURS, loaded_modules

ROOT = Path(__file__).parents[3]
SITE = next(Path(one) for one in sys.path if one.endswith("site-packages"))
LIBRARY = Path(subprocess.__file__).parent

ALWAYS = {
    "runtime.base58",
    "runtime.canonical",
    "runtime.durable",
    "runtime.errors",
    "runtime.identity",
    "runtime.quantities",
    "runtime.sanitise",
    "runtime.statedir",
}
"""Of `runtime`, whatever the machine does."""
NEVER_FROM_BOOT = ("boot.serve", "boot.image")
DISCOVERY = {"boot.stage1.mdns", "boot.stage1.dht"}
"""Loaded by machines that no server was named to."""

_PROBE = """
import sys
sys.path[:0] = [sys.argv[1], sys.argv[2]]
import importlib
before = set(sys.modules)
for name in sys.argv[3:]:
    importlib.import_module(name)
print(*sorted(set(sys.modules) - before))
"""


def loaded(*names: str) -> set[str]:
    """What a clean interpreter has loaded after some modules."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _PROBE, str(ROOT), str(SITE), *names],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return set(done.stdout.split())


def tops(names: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names)


@pytest.fixture(scope="module")
def course() -> set[str]:
    return loaded("boot.stage1.init", "boot.stage1.course")


def test_a_machine_that_knows_its_server_loads_no_network_code_of_ours(course: set[str]) -> None:
    assert {name for name in course if name.startswith("runtime.")} == ALWAYS
    assert not {name for name in course if name.startswith(("net", "console", "assets", *NEVER_FROM_BOOT))}


def test_beside_our_own_only_cryptography_is_loaded() -> None:
    names = loaded(
        "boot.stage1.init", "boot.stage1.course", "boot.stage2.overlay", "boot.trust.root", *sorted(DISCOVERY)
    )
    foreign = tops(names) - {"boot", "net", "runtime"}
    assert foreign <= {"cryptography", "_cffi_backend", "_openssl", "nacl", "_sodium", "kademlia", "umsgpack"}


def test_the_verifier_loads_the_signatures_of_cryptography_alone() -> None:
    assert tops(loaded("boot.trust.verifier", "runtime.identity")) <= {
        "boot",
        "runtime",
        "cryptography",
        "_cffi_backend",
    }


def test_tls_and_the_link_are_loaded_only_by_who_needs_them(course: set[str]) -> None:
    assert not DISCOVERY & course
    assert "boot.stage2.overlay" not in course
    assert not {"textual", "rich", "wasmtime", "aiohttp", "zeroconf", "aioquic", "sqlite3"} & course


def test_what_is_loaded_only_when_needed_is_in_the_image_all_the_same() -> None:
    found = {one.name for one in loaded_modules(["boot.stage1.init"], [ROOT, LIBRARY, SITE])}
    assert found >= DISCOVERY | {"boot.stage1.course", "boot.stage1.cmdline", "boot.stage2.overlay", "net.dht.service"}
    ours = {name for name in found if name.partition(".")[0] in OURS}
    assert not {name for name in ours if name.startswith(("console", *NEVER_FROM_BOOT))}
    assert not {"textual", "rich", "wasmtime", "aiohttp", "zeroconf", "aioquic"} & tops(found)
