"""The five schemas of old: each is refused with the new place, and what they are translated to loads."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.components.manifest.faults import ManifestError
from runtime.components.manifest.migrate import migrate
from runtime.components.manifest.model import Manifest
from runtime.components.manifest.read import read_manifest
from runtime.components.permissions import Policy
from runtime.errors import UsageError
from tests.runtime.components.manifest.writing import WORD_COUNT, refusal

INLINE = """\
[component]
name = "File_Processor"
version = "0.1.0"
author = "Mara"
permissions = [
    { action = "read", path = "/data/**" },
    { action = "write", path = "/output/**" },
    { action = "list", path = "data" },
]
"""
GROUPED = """\
[package]
name = "fetcher"
version = "1.2"
[permissions.filesystem]
read = ["/config/*.json"]
[permissions.network]
outbound = ["api.example.com:443", "cdn.example.com"]
[permissions.process]
spawn = ["/usr/bin/git"]
[runtime]
memory_max_mb = 128
threads = 4
"""
RESOURCES = """\
[component]
name = "my-component"
version = "0.1.0"
[resources.memory]
max_bytes = 1048576
[resources.cpu]
max_fuel = 5000000
timeout_ms = 500
"""
CAPABILITIES = """\
[package]
name = "data-processor"
version = "1.0.0"
description = "Processes"
authors = ["developer@example.com"]
categories = ["etl"]
[build]
type = "rust"
artifact_path = "target/wasm32-unknown-unknown/release/data_processor.wasm"
[capabilities.file_system]
read = ["/data/**", "/config/**", "/input/*.json"]
write = ["/output/**", "relative/x"]
execute = ["/bin/x"]
[capabilities.network]
outbound = ["api.example.com:443", "database.internal:5432"]
inbound = [8080]
dns_lookup = true
[capabilities.storage]
quota_mb = 100
[capabilities.messaging]
can_send_to = ["notifier"]
can_receive_from = ["*"]
[[capabilities.custom]]
name = "ml"
value = { gpu = true }
[security]
author_public_key = "a1"
[deployment]
strategy = "canary"
auto_restart = false
[resources]
max_memory_mb = 512
max_cpu_percent = 50
max_execution_time_seconds = 30
[metadata]
tags = ["etl"]
[development]
mock_capabilities = true
"""
PREFIXED = """\
[component]
name = "reader"
[capabilities]
filesystem = ["read:/x/**", "write:/x/out"]
network = ["connect:example.org:80", "example.com:443"]
"""


def translated(text: str) -> Manifest:
    return read_manifest(migrate(text.encode()).encode())


@pytest.mark.parametrize(
    ("text", "line", "place"),
    [
        (INLINE, "2: component.name: ", "package.name"),
        (GROUPED, "10: runtime: ", "limits"),
        (RESOURCES, "2: component.name: ", "package.name"),
        (CAPABILITIES, "7: build: ", ""),
        (PREFIXED, "2: component.name: ", "package.name"),
    ],
)
def test_each_old_schema_is_refused_with_the_new_place(text: str, line: str, place: str) -> None:
    first = refusal(text)[0]
    why = f"use {place}" if place else "it has no place here"
    assert first == f"Component.toml:{line}an older schema; {why} (orlop components check --migrate shows how)"


def test_every_line_is_about_the_older_schema() -> None:
    lines = refusal(PREFIXED)
    assert [line.partition(": an older schema; ")[2].partition(" (")[0] for line in lines] == [
        "use package.name",
        "use permissions",
    ]


def test_permissions_of_one_list() -> None:
    new = translated(INLINE)
    assert (new.package.name, new.package.version, new.package.authors) == ("file-processor", "0.1.0", ("Mara",))
    policy = Policy(new.permissions)
    assert policy.read("/data/a").allowed
    assert policy.write("/output/a").allowed
    assert not policy.list("/data").allowed
    assert [(mount.guest, mount.read_only) for mount in new.mounts] == [("/data", True), ("/output", False)]
    assert new.component.world == "orlop:worlds/with-filesystem"
    head = migrate(INLINE.encode())
    assert '# Not carried over: permissions.filesystem.list[0]: "data": pattern must start with /\n' in head


def test_permissions_by_group() -> None:
    new = translated(GROUPED)
    policy = Policy(new.permissions)
    assert (new.package.version, new.limits.memory, new.component.world) == ("0.1.0", 128 * 2**20, "orlop:worlds/full")
    assert policy.read("/config/a.json").allowed
    assert policy.outbound_name("api.example.com", 443).allowed
    assert policy.outbound_name("cdn.example.com", 443).allowed
    assert policy.spawn("/usr/bin/git", ["status"]).allowed
    assert "# Not carried over: runtime.threads\n" in migrate(GROUPED.encode())


def test_resources() -> None:
    new = translated(RESOURCES)
    assert (new.limits.memory, new.limits.fuel, new.limits.call_timeout) == (2**20, 5_000_000, 500)
    assert new.component.file == "my-component.wasm"
    assert list(new.permissions) == []


def test_capabilities() -> None:
    new = translated(CAPABILITIES)
    policy = Policy(new.permissions)
    assert new.component.file == "data_processor.wasm"
    assert new.limits.memory == 512 * 2**20
    assert (new.limits.call_timeout, new.limits.storage) == (30_000, 100 * 2**20)
    assert new.supervision.restart == "never"
    assert policy.write("/output/x").allowed
    assert policy.outbound_name("database.internal", 5432).allowed
    assert policy.inbound("127.0.0.1", 8080).allowed
    assert policy.message("any/notifier", "send").allowed
    assert not policy.any_spawn().allowed
    head = migrate(CAPABILITIES.encode())
    for gone in ("build", "security", "deployment", "development", "metadata", "resources.max_cpu_percent", "custom"):
        assert f"# Not carried over: {gone}" in head


def test_actions_before_a_colon() -> None:
    policy = Policy(translated(PREFIXED).permissions)
    assert policy.read("/x/a").allowed
    assert policy.write("/x/out").allowed
    assert not policy.write("/x/in").allowed
    assert policy.outbound_name("example.org", 80).allowed
    assert policy.outbound_name("example.com", 443).allowed


def test_what_is_of_no_older_schema_is_not_translated() -> None:
    with pytest.raises(UsageError, match="is of no older schema"):
        migrate(WORD_COUNT.encode())
    with pytest.raises(ManifestError):
        migrate(b"= 1")


JSON = st.recursive(
    st.one_of(st.integers(0, 99), st.booleans(), st.text(max_size=8), st.sampled_from(["/a/**", "h:1", "read:/x",
     "a.b:443"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["read", "path", "action", "outbound", "host", "port", "spawn",
         "send"]), inner, max_size=3),
    ),
    max_leaves=8,
)  # fmt: skip


@given(
    st.dictionaries(
        st.sampled_from(["filesystem", "file_system", "network", "process", "messaging", "storage", "x"]), JSON
    ),
    st.dictionaries(st.sampled_from(["name", "version", "author", "file", "permissions", "description"]), JSON),
    st.dictionaries(st.sampled_from(["memory", "cpu", "max_memory_mb", "max_execution_time_seconds"]), JSON),
)
def test_whatever_is_translated_loads(
    capabilities: dict[str, object], component: dict[str, object], resources: dict[str, object]
) -> None:
    import tomli_w

    text = tomli_w.dumps({"component": component, "capabilities": capabilities, "resources": resources})
    assert tomllib.loads(text)["capabilities"] == capabilities
    assert translated(text).package.name
