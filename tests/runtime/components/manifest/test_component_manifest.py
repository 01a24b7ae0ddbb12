"""Component.toml: what is read, and the one line for each thing that is wrong."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.components.manifest.against import check_hash, check_imports, check_metadata
from runtime.components.manifest.faults import ManifestError
from runtime.components.manifest.model import ComponentFile, Lifecycle, Limits, Messaging, Mount, Package, Supervision
from runtime.components.manifest.read import BYTES_MAX, parse, read_manifest, rule_lines
from runtime.components.manifest.schema import documented
from runtime.components.permissions import Policy
from runtime.components.permissions.ports import PortRange
from runtime.components.permissions.rules import HostRule, PatternRule, SpawnRule, StorageRule
from runtime.errors import UsageError
from tests.runtime.components.manifest.writing import HASH_B, HEAD, MIRROR, WORD_COUNT, manifest, refusal

HOW = "(orlop components check --migrate shows how)"


def test_the_smaller_example_is_read() -> None:
    read = read_manifest(WORD_COUNT.encode())
    assert read.package == Package("word-count", "1.0.0", description="Counts the words of the files in /data")
    assert read.package.full_name == "local/word-count"
    assert read.component.world == "orlop:worlds/with-filesystem"
    assert read.mounts == (Mount("/data", "operator", read_only=True),)
    assert read.permissions.patterns == (
        PatternRule("filesystem.read", 0, "permissions", "/data/**/*.txt"),
        PatternRule("filesystem.list", 0, "permissions", "/data/**"),
        PatternRule("filesystem.deny.all", 0, "permissions", "/data/private/**"),
    )
    policy = Policy(read.permissions, lines=rule_lines(read))
    assert policy.read("/data/a/b.txt").line == 15
    assert (policy.list("/data/private").line, policy.write("/data/a").line) == (17, 14)


def test_the_larger_example_is_read() -> None:
    read = read_manifest(MIRROR.encode())
    rules = read.permissions
    assert read.config == {"every_minutes": 15}
    assert rules.hosts == (
        HostRule("network.outbound", 0, "permissions", "*.example.org", (PortRange(443, 443),)),
        HostRule("network.outbound", 1, "permissions", "10.20.0.0/16", (PortRange(8000, 8100),)),
        HostRule("network.inbound", 0, "permissions", "127.0.0.1", (PortRange(9100, 9100),)),
        HostRule("network.deny", 0, "permissions", "legacy.example.org", (PortRange(1, 65_535),)),
    )
    assert rules.spawn == (SpawnRule("process.spawn", 0, "permissions", "/usr/bin/sha256sum", ("--", "/cache/*")),)
    assert rules.storage == (StorageRule("storage.namespaces", 0, "permissions", "mirror:state", ("read", "write")),)
    assert read.reasons == {"network": "Fetches the files that it mirrors"}
    assert (read.limits.memory, read.limits.call_timeout) == (128 * 2**20, 30_000)
    assert (read.supervision.restart, read.supervision.max_restarts) == ("always", 5)
    policy = Policy(rules)
    assert policy.kill().allowed
    assert policy.resolve("a.example.org").allowed


def test_what_is_left_out_has_the_stated_default() -> None:
    read = manifest()
    assert read.component == ComponentFile("word-count.wasm", None, "orlop:core/component", stateful=True)
    assert (read.limits, read.lifecycle, read.supervision) == (Limits(), Lifecycle(), Supervision())
    assert (read.messaging, read.signature, read.mounts) == (Messaging(), None, ())
    assert list(read.permissions) == []


def test_who_made_it_is_read() -> None:
    read = read_manifest(
        HEAD.replace(
            "[component]",
            'authors = ["Mara"]\nlicense = "MIT"\nhomepage = "https://a.example/"\nrepository = "https://b.example/"\n'
            'keywords = ["words"]\n[component]',
        ).encode()
    ).package
    assert (read.authors, read.license, read.keywords) == (("Mara",), "MIT", ("words",))
    assert (read.homepage, read.repository) == ("https://a.example/", "https://b.example/")


def test_short_forms_mean_the_same_as_tables() -> None:
    short = manifest('[permissions]\nnetwork.outbound = ["h.example:443", "[::1]:80", "h.example:1-2"]\n')
    long = manifest(
        "[permissions.network]\noutbound = [{host='h.example', ports=[443]}, {host='[::1]', ports=['80']},"
        " {host='h.example', ports=['1-2']}]\n"
    )
    assert short.permissions == long.permissions
    storage = manifest('[permissions.storage]\nnamespaces = ["word-count:a", {name="shared:*", actions=["write"]}]')
    assert [(rule.name, rule.actions) for rule in storage.permissions.storage] == [
        ("word-count:a", ("read",)),
        ("shared:*", ("write",)),
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (HEAD + 'x = "a\\q"\n', "Component.toml:7: syntax: not TOML: Unescaped '\\' in a string (column 9)"),
        (HEAD + "[permissions.filesystem]\nraed = []\n",
         'Component.toml:8: permissions.filesystem.raed: unknown key (did you mean "read"?)'),
        (HEAD.replace('"1.0.0"', "1"), "Component.toml:4: package.version: a string is needed, found an integer"),
        (HEAD.replace('file = "word-count.wasm"\n', ""), "Component.toml:5: component.file: missing"),
        ('schema = 1\npackage = {name = "a", version = "1.0.0"}\n', "Component.toml:1: component.file: missing"),
        (HEAD + '\n[limits]\n\nmemory = "8GiB"\n', "Component.toml:10: limits.memory: 8GiB is more than 4GiB"),
        (HEAD + '[permissions.filesystem]\nread = [\n  "/data/ok",\n  "/data/../x",\n]\n',
         'Component.toml:10: permissions.filesystem.read[1]: "/data/../x": ".." is not allowed in a pattern'),
        (HEAD.replace("[component]", 'name = "b"\n[component]'),
         "Component.toml:5: package.name: given twice (first in line 3)"),
        (HEAD + "[package]\n", "Component.toml:7: package: given twice (first in line 2)"),
        (HEAD + "[capabilities]\n",
         "Component.toml:7: capabilities: an older schema; use permissions " + HOW),
    ],
)  # fmt: skip
def test_each_line_of_the_table_of_errors(text: str, line: str) -> None:
    assert refusal(text) == [line]


def test_the_hash_of_the_file_is_held_against_the_manifest() -> None:
    read = read_manifest(MIRROR.encode())
    with pytest.raises(ManifestError) as caught:
        check_hash(read, b"\0asm")
    assert caught.value.lines == ["Component.toml:10: component.sha256: mirror.wasm has cd5d…, not 9ab1…"]
    with pytest.raises(ManifestError, match=re.escape('component.sha256: missing; of this file it is "cd5d4935')):
        check_hash(manifest(), b"\0asm")
    near = MIRROR.replace(HASH_B, "cd5d49" + "0" * 58)
    with pytest.raises(ManifestError, match=r"mirror\.wasm has cd5d493…, not cd5d490…"):
        check_hash(read_manifest(near.encode()), b"\0asm")
    good = MIRROR.replace(HASH_B, "cd5d4935a48c0672cb06407bb443bc0087aff947c6b864bac886982c73b3027f")
    assert check_hash(read_manifest(good.encode()), b"\0asm").startswith("cd5d")


def test_imports_beyond_the_world_are_named_at_the_world() -> None:
    read = read_manifest(MIRROR.encode())
    check_imports(read, [])
    clause = "imports orlop:ext-process/lifecycle@1.0.0, which this world does not include"
    with pytest.raises(ManifestError) as caught:
        check_imports(read, [clause])
    assert caught.value.lines == [f"Component.toml:11: component.world: mirror.wasm {clause}"]


def test_what_the_component_calls_itself_is_held_against_the_manifest() -> None:
    read = read_manifest(MIRROR.encode())
    check_metadata(read, "mirror", "2.1.0-rc.1")
    with pytest.raises(ManifestError) as caught:
        check_metadata(read, "mirror", "2.0.0")
    assert caught.value.lines == [
        "Component.toml:7: package.version: mirror.wasm calls itself mirror 2.0.0, not 2.1.0-rc.1"
    ]
    with pytest.raises(ManifestError, match=r"^Component.toml:5: package.name: mirror.wasm calls itself x\\x1b 1"):
        check_metadata(read, "x\x1b", "1")


def test_many_errors_are_cut_after_twenty_lines() -> None:
    lines = refusal(HEAD + "".join(f"k{number} = 1\n" for number in range(27)))
    assert len(lines) == 21
    assert lines[0] == "Component.toml:7: component.k0: unknown key"
    assert lines[-1] == "… and 7 more"


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ("[component.x]\n", "7: component.x: unknown key"),
        ('"\\u001b[31m" = 1\n', '7: component."\\x1b[31m": unknown key'),
        ("stateful = 1\n", "7: component.stateful: a boolean is needed, found an integer"),
        ('world = "component"\n', '7: component.world: "component" is none of '),
        ('sha256 = "AB"\n', '7: component.sha256: "AB": 64 lower-case hexadecimal characters are needed'),
        ("[limits]\nfuel = 0\n", "8: limits.fuel: 0 is less than 1"),
        ("[limits]\nfuel = 99999999999999999999\n", "8: limits.fuel: an integer beyond 64 bits"),
        ("[limits]\nmemory = 1.5\n",
         "8: limits.memory: a size such as 64MiB (B, KiB, MiB, GiB) is needed, found a fraction"),
        ('[limits]\nmemory = "64 MiB"\n', '8: limits.memory: "64 MiB" is not a size such as 64MiB (B, KiB, MiB, GiB)'),
        ('[limits]\nmemory = "1KiB"\n', "8: limits.memory: 1KiB is less than 1MiB"),
        ('[limits]\ncall_timeout = "2d"\n', '8: limits.call_timeout: "2d" is not a duration such as 5s (ms, s, m, h)'),
        ("[limits]\ncall_timeout = 2020-01-01\n",
         "8: limits.call_timeout: a duration such as 5s (ms, s, m, h) is needed, found a date"),
        ("[limits]\nhandles = true\n", "8: limits.handles: an integer is needed, found a boolean"),
        ("[limits]\ncall_timeout = 9\n", "8: limits.call_timeout: 9 is less than 10ms"),
        ("[supervision]\nmax_restarts = 101\n", "8: supervision.max_restarts: 101 is more than 100"),
        ('[supervision]\nbackoff_max = "50ms"\n', "8: supervision.backoff_max: less than backoff_initial"),
        ('[supervision]\nrestart = "allways"\n',
         '8: supervision.restart: "allways" is none of always, on-failure, never (did you mean "always"?)'),
        ("[config]\na = 1.5\n", "8: config.a: a fraction is not allowed; write it as a string"),
        ("[config]\na = [2020-01-01]\n", "8: config.a[0]: a date is not allowed; write it as a string"),
        ("[config]\na = [[[[[[[[1]]]]]]]]\n", "8: config.a[0][0][0][0][0][0][0]: nested deeper than 8"),
        ('[[mounts]]\nguest = "data"\nsource = "temp"\n',
         '8: mounts[0].guest: "data": an absolute path is needed; write /data'),
        ('[[mounts]]\nguest = "/a/../b"\nsource = "temp"\n',
         '8: mounts[0].guest: "/a/../b": an absolute path is needed; write /b'),
        ('[[mounts]]\nguest = "/a"\nsource = "/etc"\n',
         '9: mounts[0].source: "/etc" is none of private, temp, operator'),
        ('[[mounts]]\nguest = "/a"\nsource = "temp"\n[[mounts]]\nguest = "/a/b"\nsource = "temp"\n',
         '11: mounts[1].guest: "/a/b" overlaps "/a"'),
        ('[[mounts]]\nguest = "/a/b"\nsource = "temp"\n[[mounts]]\nguest = "/a"\nsource = "temp"\n',
         '11: mounts[1].guest: "/a" overlaps "/a/b"'),
        ('[permissions.network]\noutbound = ["example.org"]\n',
         '8: permissions.network.outbound[0]: "example.org": "host:port" or a table is needed'),
        ('[permissions.network]\noutbound = [{host="example.org"}]\n',
         "8: permissions.network.outbound[0].ports: missing"),
        ('[permissions.network]\noutbound = [{host="example.org", ports=[]}]\n',
         "8: permissions.network.outbound[0].ports: at least one port is needed"),
        ('[permissions.network]\noutbound = [{host="example.org", ports=[0]}]\n',
         '8: permissions.network.outbound[0].ports[0]: "0": ports are 1 to 65535'),
        ('[permissions.network]\noutbound = ["*.org:443"]\n',
         '8: permissions.network.outbound[0]: "*.org": wildcard needs two labels'),
        ('[permissions.network]\ninbound = ["localhost:1"]\n',
         '8: permissions.network.inbound[0]: "localhost": an address is needed, not a name or network'),
        ('[permissions.process]\nspawn = [{command="ls"}]\n',
         '8: permissions.process.spawn[0].command: "ls": pattern must start with /'),
        ('[permissions.process]\nspawn = [{command="/ls", args=["**", "a"]}]\n',
         "8: permissions.process.spawn[0].args: ** must be the last argument"),
        ('[permissions.process]\nsignals = ["term"]\n',
         '8: permissions.process.signals[0]: "term": allowed by process.kill, not here'),
        ("[permissions.process]\nsignals = [32]\n", '8: permissions.process.signals[0]: "32": not a signal'),
        ('[permissions.environment]\nread = ["LD_PRELOAD"]\n',
         '8: permissions.environment.read[0]: "LD_PRELOAD": always refused (LD_*)'),
        ('[permissions.environment.set]\nPATH = "/x"\n', "8: permissions.environment.set.PATH: always refused (PATH)"),
        ('[permissions.environment.set]\nA-B = "/x"\n', "8: permissions.environment.set.A-B: not a name of a variable"),
        ('[permissions.storage]\nnamespaces = ["other:x"]\n',
         '8: permissions.storage.namespaces[0]: "other:x": the prefix is word-count or shared'),
        ('[permissions.storage]\nnamespaces = ["word-count"]\n',
         '8: permissions.storage.namespaces[0]: "word-count": prefix:name is needed, with * only at the end'),
        ('[permissions.messaging]\nsend = ["notify"]\n',
         '8: permissions.messaging.send[0]: "notify": namespace/name is needed'),
        ('[permissions.messaging]\npublish = ["a//b"]\n',
         '8: permissions.messaging.publish[0]: "a//b": an empty segment is not allowed in a pattern'),
        ('[permissions.jobs]\nsubmit = ["xyz"]\n',
         '8: permissions.jobs.submit[0]: "xyz": 64 hexadecimal characters, a beginning of them and *, or * are needed'),
        ('[permissions.rooms]\npost = ["a*b"]\n', '8: permissions.rooms.post[0]: "a*b": * stands at the end only'),
        ("[permissions.filesystem]\nread = [" + '"/a",' * 257 + "]\n",
         "8: permissions.filesystem.read: 257 entries are more than 256"),
        ('[permissions.reasons]\nother = "x"\n', "8: permissions.reasons.other: unknown key"),
        ('[metadata]\na = "' + "x" * 4090 + '"\nb = "' + "x" * 10 + '"\n', "7: metadata: more than 4KiB together"),
        ("[signature]\npublic_key = 'x'\nsignature = 'y'\n",
         '8: signature.public_key: "x": 64 lower-case hexadecimal characters are needed'),
        ("[permissions]\nfilesystem = []\n",
         "8: permissions.filesystem: an older schema; use permissions.filesystem.… " + HOW),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_with_its_place(more: str, line: str) -> None:
    lines = refusal(HEAD + more)
    assert lines
    assert lines[0].startswith(f"Component.toml:{line}")


@pytest.mark.parametrize(
    ("name", "good"),
    [("a", True), ("a1-b2", True), ("A", False), ("1a", False), ("a--b", False), ("a-", False), ("a" * 65, False)],
)
def test_names_of_packages(name: str, *, good: bool) -> None:
    assert (refusal(HEAD.replace("word-count", name, 1)) == []) == good


@pytest.mark.parametrize(
    ("version", "good"),
    [
        ("1.0.0", True), ("0.0.0", True), ("1.0.0-rc.1+build.5", True), ("1.0.0-0.x-y", True), ("1.0", False),
        ("01.0.0", False), ("1.0.0-01", False), ("1.0.0-", False), ("v1.0.0", False), ("1.0.0\n", False),
        ("1.0.0+" + "a" * 60, False), ("1.0.0+", False),
    ],
)  # fmt: skip
def test_versions_are_semantic(version: str, *, good: bool) -> None:
    assert (refusal(HEAD.replace('"1.0.0"', f'"""{version}"""')) == []) == good


@pytest.mark.parametrize(
    "file", ["../a.wasm", "/a.wasm", "a", "a/../b.wasm", "a//b.wasm", ".wasm", "a\\\\b.wasm", "-a.wasm", "./a.wasm"]
)
def test_the_component_lies_beside_its_manifest(file: str) -> None:
    (line,) = refusal(HEAD.replace("word-count.wasm", file))
    assert line.startswith("Component.toml:6: component.file: ")


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        (b"\xef\xbb\xbfschema = 1", "1: syntax: the file begins with a byte order mark; write UTF-8 without one"),
        (b"schema = 1\nx = '\xff'", "2: syntax: not UTF-8"),
        (b" " * (BYTES_MAX + 1), "1: syntax: the file has more than 64KiB"),
        (b"x = " + b"[" * 3000, "1: syntax: nested deeper than 8"),
        (b"\nx = " + b"{x=" * 3000, "2: syntax: nested deeper than 8"),
        (b"\nx" + b".x" * 32_000 + b" = 1", "2: syntax: nested deeper than 8"),
        (b"\n[x" + b".x" * 32_000 + b"]", "2: syntax: nested deeper than 8"),
        (b"\n\nx = " + b"9" * 5000, "3: syntax: not TOML: a number with too many digits"),
        (b"schema = 1\nx = [", "2: syntax: not TOML: Invalid value (at the end)"),
        (b"x = 1\r\ny = \r\n", "2: syntax: not TOML: Invalid value (column 5)"),
        (b"\0", "1: syntax: not TOML: Invalid statement (column 1)"),
        (b"", "1: schema: missing"),
        (b"schema = 2", "1: schema: 2 is not a schema that is known here; write 1"),
    ],
)
def test_files_that_cannot_be_read(raw: bytes, line: str) -> None:
    assert refusal(raw)[0] == f"Component.toml:{line}"


def test_the_config_is_bounded_as_json() -> None:
    """A line end is one byte in the file and two in JSON."""
    lines = "\n" * 33_000
    assert refusal(f'{HEAD}[config]\na = """{lines}"""\n') == ["Component.toml:7: config: more than 64KiB as JSON"]


def test_the_error_is_a_usage_error_of_as_many_lines() -> None:
    with pytest.raises(UsageError) as caught:
        read_manifest(b"schema = 1", "x/Component.toml")
    assert str(caught.value).split("\n")[0] == "x/Component.toml:1: package.name: missing"


@given(st.binary(max_size=200))
def test_random_bytes_are_refused_with_lines(raw: bytes) -> None:
    assert all(line.startswith("Component.toml:") for line in refusal(raw))


@given(st.integers(0, len(MIRROR)), st.integers(0, 40), st.binary(max_size=20), st.integers(0, len(MIRROR)))
def test_a_manifest_that_was_changed_somewhere_is_read_or_refused(at: int, gone: int, put: bytes, cut: int) -> None:
    raw = MIRROR.encode()
    for changed in (raw[:at] + put + raw[at + gone :], raw[:cut], raw[cut:] + raw[:cut]):
        assert all(re.match(r"Component\.toml:\d+: |… and ", line) for line in refusal(changed))


VALUES = st.recursive(
    st.one_of(
        st.integers(-(2**70), 2**70).map(str), st.sampled_from(["true", "1.5", "2020-01-01", "nan", '"x"', "'/a/**'",
         '"5s"']),
        st.text(max_size=6).map(lambda text: f"'{text}'"),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.lists(st.tuples(st.sampled_from(["host", "ports", "name", "guest", "x"]), inner), max_size=3).map(
            lambda pairs: "{" + ", ".join(f"{key} = {value}" for key, value in pairs) + "}"
        ),
    ),
    max_leaves=6,
)  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from([path for path, _ in documented()]), VALUES), max_size=4))
def test_any_value_for_any_key_is_read_or_refused_with_lines(pairs: list[tuple[str, str]]) -> None:
    text = "".join(f"{path.replace('[]', '')} = {value}\n" for path, value in pairs)
    for whole in (text, f"schema = 1\n{text}"):
        assert all(re.match(r"Component\.toml:\d+: |… and ", line) for line in refusal(whole))


@pytest.mark.parametrize("path", [path for path, key in documented() if not key.keys])
def test_every_key_refuses_a_value_of_another_type(path: str) -> None:
    """A date is the type of no key."""
    table, _, name = path.rpartition(".")
    header = f"[[{table[:-2]}]]" if table.endswith("[]") else f"[{table}]" if table else ""
    text = f"{header}\n{name} = 2020-01-01\n"
    spoken = re.escape(path.replace("[]", "[0]"))
    assert any(re.match(rf"Component\.toml:2: {spoken}: .*found a date$", line) for line in refusal(text))


def test_the_text_of_a_fault_is_harmless() -> None:
    (line,) = refusal(HEAD + '[permissions.filesystem]\nread = ["\\u001b]52;c;\\u0007/x\\u202e"]\n')
    assert line == (
        'Component.toml:8: permissions.filesystem.read[0]: "\\x1b]52;c;\\x07/x\\u202e": pattern must start with /'
    )


def test_parse_gives_the_text_and_what_toml_makes_of_it() -> None:
    assert parse(b"a = 1\n") == ({"a": 1}, "a = 1\n")
