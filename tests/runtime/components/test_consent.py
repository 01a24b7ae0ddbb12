"""What a manifest asks for in plain words, what is risky in it, and what is said about a denied call."""

import pytest

from runtime.components.consent import asked_lines, denied_lines
from runtime.components.manifest.read import read_manifest, rule_lines
from runtime.components.permissions import Policy
from runtime.components.permissions.grants import Grants
from tests.runtime.components.manifest.writing import HEAD, MIRROR, WORD_COUNT, manifest

FULL = 'world = "orlop:worlds/full"\n[[mounts]]\nguest = "/data"\nsource = "private"\n'


def shown(text: str) -> list[tuple[str, str, str]]:
    return [(line.level, line.text, line.why) for line in asked_lines(read_manifest(text.encode()))]


def test_a_harmless_component_has_plain_lines() -> None:
    assert shown(WORD_COUNT) == [
        ("risky", "nobody signed it", "whoever passed it on may have changed it"),
        ("plain", "needs a directory of yours at /data (read only)", ""),
        ("plain", "reads /data/**/*.txt", ""),
        ("plain", "lists /data/**", ""),
        ("plain", "may never touch /data/private/**", ""),
        ("plain", "uses up to 64MiB of memory, 16MiB of storage", ""),
    ]


def test_the_larger_example() -> None:
    lines = asked_lines(read_manifest(MIRROR.encode()))
    assert [(line.level, line.text) for line in lines if line.rule] == [
        ("risky", "reads the variable MIRROR_*"),
        ("risky", "connects to *.example.org (443)"),
        ("risky", "connects to 10.20.0.0/16 (8000-8100)"),
        ("risky", "starts /usr/bin/sha256sum -- /cache/*"),
        ("plain", "reads /cache/**"),
        ("plain", "writes /cache/**"),
        ("plain", "deletes /cache/*.part"),
        ("plain", "lists /cache/**"),
        ("plain", "sends its programs the signal hup"),
        ("plain", "ends the programs that it started"),
        ("plain", "sends messages to acme/notify"),
        ("plain", "takes messages from acme/*"),
        ("plain", "reads the variable LANG"),
        ("plain", "listens at 127.0.0.1 (9100)"),
        ("plain", "may never reach legacy.example.org (any port)"),
        ("plain", "keeps data in mirror:state (read, write)"),
    ]
    reasons = {line.reason for line in lines if ".network." in line.rule}
    assert reasons == {"Fetches the files that it mirrors"}


@pytest.mark.parametrize(
    ("more", "level", "text", "why"),
    [
        ('[permissions.filesystem]\nread = ["/**"]', "red", "reads /**", "every file of every mount; fits every path"),
        ('[permissions.network]\noutbound = ["*:443"]', "red", "connects to * (443)",
         "any host there is; fits every host"),
        ('[permissions.network]\noutbound = ["0.0.0.0/0:*"]', "red", "connects to 0.0.0.0/0 (any port)",
         "any port; any address there is; fits every host"),
        ('[permissions.network]\noutbound = ["169.254.169.254:80"]', "risky", "connects to 169.254.169.254 (80)",
         "an address of this machine or of your own network"),
        ('[permissions.network]\noutbound = ["93.184.0.0/16:80"]', "risky", "connects to 93.184.0.0/16 (80)",
         "many machines"),
        ('[permissions.network]\noutbound = ["api.example.org:443"]', "plain", "connects to api.example.org (443)", ""),
        ('[permissions.network]\noutbound = [{host = "db.lan.example", ports = [1], private = true}]', "risky",
         "connects to db.lan.example (1)", "may lead into your own network"),
        ('[permissions.network]\noutbound = [{host = "a.example", ports = [1], tls_insecure = true}]', "red",
         "connects to a.example (1)", "certificates need not be verified"),
        ('[permissions.network]\ninbound = ["0.0.0.0:80"]', "red", "listens at 0.0.0.0 (80)",
         "every network of this machine"),
        ('[permissions.network]\ninbound = ["192.0.2.1:80"]', "risky", "listens at 192.0.2.1 (80)",
         "others on the network reach it"),
        ('[permissions.network]\nresolve = ["*"]', "risky", "asks for the addresses of *",
         "names can carry data out; fits everything"),
        ('[permissions.process]\nspawn = [{command = "/usr/bin/python3.11", args = ["**"]}]', "red",
         "starts /usr/bin/python3.11 **", "a program that runs whatever it is told to"),
        ('[permissions.process]\nspawn = [{command = "/bin/sh"}]', "red", "starts /bin/sh",
         "a program that runs whatever it is told to"),
        ('[permissions.process]\nspawn = [{command = "/usr/bin/*", args = ["**"]}]', "red", "starts /usr/bin/* **",
         "any program, with the rights of your user"),
        ('[permissions.process]\nspawn = [{command = "/usr/bin/wc", args = ["**"]}]', "risky", "starts /usr/bin/wc **",
         "a program runs with the rights of your user, outside the sandbox; with any arguments"),
        ('[permissions.environment]\nread = ["*"]', "red", "reads the variable *",
         "every variable, secrets included; fits everything"),
        ('[permissions.environment]\nread = ["GITHUB_TOKEN"]', "red", "reads the variable GITHUB_TOKEN",
         "looks like a secret"),
        ('[permissions.storage]\nnamespaces = [{name = "shared:x", actions = ["write"]}]', "risky",
         "keeps data in shared:x (write)", "other components see and may change it"),
        ('[permissions.messaging]\nsend = ["*/*"]', "risky", "sends messages to */*", "any component; fits everyone"),
        ('[permissions.jobs]\nsubmit = ["*"]', "red", "runs jobs of the module *", "all of them; fits everything"),
        ('[permissions.jobs]\nsubmit = ["ab*"]', "risky", "runs jobs of the module ab*", "more than one"),
        ('[permissions.rooms]\npost = ["*"]', "red", "writes to the room *", "all of them; fits everything"),
        ('[permissions.rooms]\npost = ["lobby"]', "plain", "writes to the room lobby", ""),
    ],
)  # fmt: skip
def test_what_is_risky_is_said(more: str, level: str, text: str, why: str) -> None:
    assert (level, text, why) in shown(f"{HEAD}{FULL}{more}\n")


def test_writing_where_a_directory_of_the_operator_is_mounted_is_risky() -> None:
    mounted = FULL.replace("private", "operator")
    lines = shown(f'{HEAD}{mounted}[permissions.filesystem]\nwrite = ["/data/x"]\n')
    assert ("risky", "needs a directory of yours at /data", "") in lines
    assert ("risky", "writes /data/x", "changes files of yours where a directory of yours is mounted") in lines


def test_the_riskiest_come_first_and_every_text_is_harmless() -> None:
    rooms = '[permissions.rooms]\npost = ["\\u001b[31m\\u202e", "*"]\n'
    text = f'{HEAD}{FULL}{rooms}[permissions.reasons]\nrooms = "\\u0007"\n'
    lines = asked_lines(read_manifest(text.encode()))
    order = [line.level for line in lines]
    assert order == sorted(order, key=["red", "risky", "plain"].index)
    assert all(part.isprintable() for line in lines for part in (line.text, line.why, line.reason))


def test_starting_by_itself_and_fixed_variables_are_told() -> None:
    text = f'{HEAD}[permissions.environment.set]\nMODE = "x"\n[lifecycle]\nautostart = true\n'
    assert {("plain", "gets the variable MODE", ""), ("plain", "starts with the console", "")} <= set(shown(text))


def test_a_denial_names_the_rule_the_line_and_the_command() -> None:
    read = read_manifest(WORD_COUNT.encode())
    grants = Grants(read.permissions)
    policy = grants.policy(rule_lines(read))
    assert denied_lines("word-count", policy.write("/data/a b")) == (
        "denied: no rule (Component.toml:14)",
        "to allow it: orlop components permissions word-count --grant 'filesystem.write=/data/a b'",
    )
    assert denied_lines("word-count", policy.read("/data/private/k")) == (
        "denied: denied by permissions.filesystem.deny.all[0] (Component.toml:17)",
        "to allow it: orlop components permissions word-count --revoke 'filesystem.deny.all[0]'",
    )
    revoked = grants.revoke("filesystem.read[0]").policy(rule_lines(read))
    assert denied_lines("word-count", revoked.read("/data/a.txt")) == (
        "denied: permissions.filesystem.read[0] is not granted (Component.toml:15)",
        "to allow it: orlop components permissions word-count --grant 'filesystem.read[0]'",
    )
    assert denied_lines("x", manifest_policy().environment("LD_PRELOAD")) == (
        "denied: always refused (LD_*)",
        "nothing allows this",
    )


def manifest_policy() -> Policy:
    return Grants(manifest().permissions).policy()
