"""A component in Python calls operations of every package, by the bindings that its author gets.

Built by `componentize-py`, which is 60 MB: run by `make test-kit`.
"""

import asyncio
import base64
import json
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from runtime.components.audit_record import AuditRecord
from runtime.components.components import Install
from runtime.sandbox.compile import Compiler
from runtime.shapes import from_wire
from tests.runtime.components.components_here import author, node

ROOT = Path(__file__).parents[3]
WORLD = "orlop:worlds/full"
RULES = f"""world = "{WORLD}"
[[mounts]]
guest = "/data"
source = "private"
[permissions.filesystem]
read = ["/data/**"]
write = ["/data/**"]
list = ["/data", "/data/**"]
[permissions.storage]
namespaces = [{{ name = "caller:notes", actions = ["read", "write"] }}]
[limits]
memory = "128MiB"
init_timeout = "10m"
call_timeout = "10m"
"""
CALLS: list[tuple[str, list[Any], str]] = [
    ("host-services.random-bytes", [0], "b''"),
    ("host-services.stop-requested", [], "False"),
    ("host-services.sleep-millis", [1], "False"),
    ("host-messaging.publish", ["tides", "", {"bytes": "x"}], "MessagingError_PermissionDenied"),
    ("storage.set", ["caller:notes", "key", {"bytes": "value"}], "None"),
    ("storage.get", ["caller:notes", "key"], "b'value'"),
    ("storage.exists", ["caller:notes", "no"], "False"),
    ("storage.delete", ["caller:notes", "key"], "StorageError_PermissionDenied"),
    ("permissions.check-file-delete", ["/data/a"], "PermissionResult_Denied(value='no rule')"),
    ("filesystem.write-file-atomic", ["/data/a", {"bytes": "hello"}], "None"),
    ("filesystem.read-file", ["/data/a"], "b'hello'"),
    ("filesystem.read-file", ["/data/no"], "FilesystemError_NotFound"),
    ("filesystem.delete-file", ["/data/a"], "FilesystemError_PermissionDenied"),
    ("metadata.all-exist", [["/data/a"]], "True"),
    ("metadata.canonical-path", ["/data/./a"], "'/data/a'"),
    ("connection.resolve-hostname", ["localhost", 1], "NetworkError_PermissionDenied"),
    ("lifecycle.get-children", [], "[]"),
    ("lifecycle.spawn-in-directory", ["/bin/true", [], "/data"], "ProcessError_PermissionDenied"),
    ("signals.signal-name", [15], "'TERM'"),
    ("signals.signal-number", ["nonsense"], "ProcessError_SignalNotSupported"),
]


def built(place: Path) -> bytes:
    """The component."""
    source, out = ROOT / "tests/runtime/components/guests/in_python", place / "caller.wasm"
    program = str(Path(sysconfig.get_path("scripts"), "componentize-py"))
    command = [program, "-d", "assets/wit", "-w", WORLD, "componentize", "--stub-wasi", "-p", str(source), "caller"]
    run = subprocess.run([*command, "-o", str(out)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return out.read_bytes()


@pytest.mark.kit
@pytest.mark.timeout(900)
async def test_kit_python_calls_every_package(
    tmp_path: Path, component_compiler: Compiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = author(tmp_path / "made", RULES, wasm=await asyncio.to_thread(built, tmp_path), name="caller")
    recorded: set[str] = set()
    async with node(tmp_path, lambda: component_compiler) as here:
        tell = here.components.told

        def told(component: Any, kind: str, fields: Any) -> None:
            recorded.update(from_wire(AuditRecord, one).op for one in fields.get("records", ()) if kind == "audit")
            tell(component, kind, fields)

        monkeypatch.setattr(here.components, "told", told)
        await here.components.install(Install(folder=made))
        answers = []
        for operation, given, _ in CALLS:
            ended = await here.components.execute("caller", operation, json.dumps(given).encode(), 600_000, "test")
            match ended.value:
                case {"ok": str() as back}:
                    answers.append((operation, base64.b64decode(back).decode()))
                case {"err": [_, reason]}:
                    answers.append((operation, reason))
                case other:
                    answers.append((operation, f"{other} {ended.kind} {ended.detail}"))
        assert answers == [(operation, wanted) for operation, _, wanted in CALLS]
        await here.components.stop("caller")
    assert recorded == {operation for operation, _, _ in CALLS}
