"""What of the lock is vendored: what orlop needs when it runs, and nothing that only builds it."""

from boot.image.lockfile import locked_wheels, needed_at_runtime, the_lock

LOCK = """\
direct==1 \\
    --hash=sha256:aa
    # via orlop (pyproject.toml)
far==3 ; python_version >= '3' \\
    --hash=sha256:bb \\
    --hash=sha256:cc
    # via near
builder==4 \\
    --hash=sha256:dd
    # via orlop (pyproject.toml:build)
near==2 \\
    --hash=sha256:ee
    # via
    #   builder
    #   direct
of-builder==5 \\
    --hash=sha256:ff
    # via builder
"""


def test_what_is_needed_through_others_stays_with_its_hashes() -> None:
    kept = needed_at_runtime(LOCK)
    assert [line for line in kept.splitlines() if "==" in line] == [
        "direct==1 \\",
        "far==3 ; python_version >= '3' \\",
        "near==2 \\",
    ]
    assert kept.count("--hash") == 4


def test_of_the_real_lock_the_builder_goes_and_the_engine_stays() -> None:
    kept = needed_at_runtime(the_lock())
    names = {line.partition("==")[0] for line in kept.splitlines() if "==" in line and not line.startswith(" ")}
    assert {"wasmtime", "cryptography", "cffi", "textual"} <= names
    assert not {"hatchling", "editables", "pathspec"} & names


def test_the_names_and_versions_are_what_an_inventory_lists() -> None:
    assert locked_wheels(LOCK)[:2] == (("direct", "1"), ("far", "3"))
