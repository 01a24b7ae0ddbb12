"""Texts of Component.toml for tests."""

from runtime.components.manifest.faults import ManifestError
from runtime.components.manifest.model import Manifest
from runtime.components.manifest.read import read_manifest

HASH_A = "3f0c" * 16
HASH_B = "9ab1" * 16

WORD_COUNT = f"""\
schema = 1
[package]
name = "word-count"
version = "1.0.0"
description = "Counts the words of the files in /data"
[component]
file = "word-count.wasm"
sha256 = "{HASH_A}"
world = "orlop:worlds/with-filesystem"
[[mounts]]
guest = "/data"
source = "operator"
read_only = true
[permissions.filesystem]
read = ["/data/**/*.txt"]
list = ["/data/**"]
deny.all = ["/data/private/**"]
"""

MIRROR = f"""\
schema = 1
config = {{ every_minutes = 15 }}
mounts = [{{ guest = "/cache", source = "private" }}]
[package]
name = "mirror"
namespace = "acme"
version = "2.1.0-rc.1"
[component]
file = "mirror.wasm"
sha256 = "{HASH_B}"
world = "orlop:worlds/full"
[permissions.filesystem]
read = ["/cache/**"]
write = ["/cache/**"]
delete = ["/cache/*.part"]
list = ["/cache/**"]
[permissions.network]
outbound = [{{ host = "*.example.org", ports = [443] }}, {{ host = "10.20.0.0/16", ports = ["8000-8100"] }}]
inbound = [{{ address = "127.0.0.1", ports = [9100] }}]
deny = [{{ host = "legacy.example.org", ports = ["*"] }}]
[permissions.process]
spawn = [{{ command = "/usr/bin/sha256sum", args = ["--", "/cache/*"] }}]
signals = ["hup"]
[permissions.environment]
read = ["LANG", "MIRROR_*"]
[permissions.storage]
namespaces = [{{ name = "mirror:state", actions = ["read", "write"] }}]
[permissions.messaging]
send = ["acme/notify"]
receive = ["acme/*"]
[permissions.reasons]
network = "Fetches the files that it mirrors"
[limits]
memory = "128MiB"
call_timeout = "30s"
[supervision]
restart = "always"
max_restarts = 5
"""

HEAD = """\
schema = 1
[package]
name = "word-count"
version = "1.0.0"
[component]
file = "word-count.wasm"
"""
"""The least that passes; what follows begins in line 7."""


def manifest(more: str = "") -> Manifest:
    return read_manifest(f"{HEAD}{more}".encode())


def refusal(text: str | bytes) -> list[str]:
    """The lines that a text is refused with; none when it passes."""
    try:
        read_manifest(text if isinstance(text, bytes) else text.encode())
    except ManifestError as error:
        return list(error.lines)
    return []
