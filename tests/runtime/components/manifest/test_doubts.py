"""What makes no sense in a manifest without being an error."""

import pytest

from runtime.components.manifest.doubts import doubts
from runtime.components.manifest.read import read_manifest
from tests.runtime.components.manifest.writing import HEAD, MIRROR, WORD_COUNT, manifest

FULL = 'world = "orlop:worlds/full"\n'
MOUNTED = (
    FULL
    + """\
[[mounts]]
guest = "/data"
source = "operator"
[[mounts]]
guest = "/ro"
source = "operator"
read_only = true
"""
)


@pytest.mark.parametrize("text", [WORD_COUNT, MIRROR, HEAD])
def test_sound_manifests_raise_none(text: str) -> None:
    assert doubts(read_manifest(text.encode())) == ()


@pytest.mark.parametrize(
    ("allow", "deny", "swallowed"),
    [
        ("/data/a", "/data/a", True),
        ("/data/a", "/data/**", True),
        ("/data/*.txt", "/data/*", True),
        ("/data/*", "/data/*.txt", False),
        ("/data/**", "/data/*", False),
        ("/data/**", "/data/**", True),
        ("/data/**/x", "/data/**", True),
        ("/data/**", "/data/**/x", False),
        ("/data/a?", "/data/a*", True),
        ("/data/a*", "/data/a?", False),
        ("/data/a*", "/data/a?*", False),
        (r"/data/\*", "/data/*", True),
        ("/data/*", r"/data/\*", False),
    ],
)
def test_a_rule_of_which_a_deny_rule_leaves_nothing(allow: str, deny: str, *, swallowed: bool) -> None:
    read = manifest(f"{MOUNTED}[permissions.filesystem]\nread = ['{allow}']\ndeny.all = ['{deny}']\n")
    found = doubts(read)
    assert [doubt.rule for doubt in found] == ["permissions.filesystem.read[0]"] * swallowed
    if swallowed:
        assert found[0].reason == "allows nothing: permissions.filesystem.deny.all[0] denies all of it"


@pytest.mark.parametrize(
    ("allow", "deny", "swallowed"),
    [
        ("a.example.org:443", "*.example.org:*", True),
        ("a.example.org:443", "*.example.org:80", False),
        ("A.Example.org:443", "a.example.org:1-1000", True),
        ("*.example.org:443", "a.example.org:443", False),
        ("*.a.example.org:443", "*.example.org:443", True),
        ("*.example.org:443", "*.example.org:443", True),
        ("10.1.0.0/16:80", "10.0.0.0/8:80", True),
        ("10.0.0.0/8:80", "10.1.0.0/16:80", False),
        ("10.1.0.0/16:80", "*:80", True),
        ("10.1.0.0/16:80", "::/0:80", False),
    ],
)
def test_a_host_of_which_a_deny_rule_leaves_nothing(allow: str, deny: str, *, swallowed: bool) -> None:
    read = manifest(f'{FULL}[permissions.network]\noutbound = ["{allow}"]\ndeny = ["{deny}"]\n')
    assert [doubt.rule for doubt in doubts(read)] == ["permissions.network.outbound[0]"] * swallowed


def test_a_program_of_which_a_deny_rule_leaves_nothing() -> None:
    read = manifest(f'{FULL}[permissions.process]\nspawn = [{{command = "/usr/bin/git"}}]\ndeny = ["/usr/bin/*"]\n')
    assert [doubt.rule for doubt in doubts(read)] == ["permissions.process.spawn[0]"]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (
            '[permissions.network]\noutbound = ["a.example:1"]\n',
            "is of no use: the world orlop:core/component has no network",
        ),
        ('[permissions.rooms]\npost = ["lobby"]\n', "is of no use: the world orlop:core/component has no rooms"),
        (MOUNTED + '[permissions.filesystem]\nread = ["/other/**"]\n', 'is of no use: no mount holds "/other/**"'),
        (MOUNTED + '[permissions.filesystem]\nread = ["/d?ta"]\n', ""),
        (MOUNTED + '[permissions.filesystem]\nwrite = ["/ro/**"]\n', 'is of no use: "/ro" is read-only'),
        (MOUNTED + '[permissions.filesystem]\nread = ["/ro/**"]\n', ""),
        (MOUNTED + '[permissions.filesystem]\nread = ["/**"]\n', "fits every path"),
        (FULL + '[permissions.network]\noutbound = ["*:443"]\n', "fits every host"),
        (FULL + '[permissions.network]\noutbound = ["0.0.0.0/0:443"]\n', "fits every host"),
        (FULL + '[permissions.process]\nspawn = [{command = "/**"}]\n', "fits every program"),
        ('[permissions.environment]\nread = ["*"]\n', "fits everything"),
        ('[permissions.messaging]\nsend = ["*/*"]\n', "fits everyone"),
    ],
)
def test_rules_that_are_of_no_use_or_reach_everything(more: str, reason: str) -> None:
    assert [doubt.reason for doubt in doubts(manifest(more))] == [reason] * bool(reason)
