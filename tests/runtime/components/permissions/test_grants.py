"""Grants: what the operator cuts, adds and revokes, and the policy that comes of it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.components.permissions.grants import Grants
from runtime.components.permissions.operator_rules import GROUPS, read_rule
from runtime.components.permissions.rules import PatternRule, Rules
from runtime.errors import UsageError
from tests.runtime.components.permissions.granting import hosts, patterns, programs, storage

READ_0 = "permissions.filesystem.read[0]"
ASKED = (
    patterns("filesystem.read", "/data/**", "/etc/hosts")
    .plus(patterns("filesystem.deny.all", "/data/private/**"))
    .plus(hosts("network.outbound", "api.example.org 443"))
    .plus(programs(("/usr/bin/git", ("status",))))
    .plus(storage(("me:state", ("read", "write"))))
)


def test_everything_that_is_asked_is_granted_at_first() -> None:
    policy = Grants(ASKED).policy({READ_0: 7})
    decision = policy.read("/data/a")
    assert (decision.allowed, decision.rule, decision.line) == (True, READ_0, 7)
    assert policy.version == 1


def test_a_revoked_rule_is_not_in_force_and_named_where_it_is_missing() -> None:
    grants = Grants(ASKED).revoke("filesystem.read[0]")
    policy = grants.policy({READ_0: 7})
    assert policy.version == 2
    assert not policy.grant(READ_0)
    assert policy.grant("permissions.filesystem.read[1]")
    decision = policy.read("/data/a")
    assert (decision.allowed, decision.rule, decision.line) == (False, READ_0, 7)
    assert decision.reason == f"{READ_0} is not granted"
    assert decision.remedy == "--grant 'filesystem.read[0]'"
    again = grants.grant("filesystem.read[0]")
    assert (again.version, again.policy().read("/data/a").allowed) == (3, True)


def test_a_missing_rule_is_not_named_where_a_deny_rule_would_win() -> None:
    policy = Grants(ASKED).revoke(READ_0).policy()
    decision = policy.read("/data/private/x")
    assert decision.reason == "denied by permissions.filesystem.deny.all[0]"


def test_a_part_can_be_granted() -> None:
    policy = Grants(ASKED).only(["filesystem.read[1]", "process.spawn[0]"]).policy()
    assert policy.read("/etc/hosts").allowed
    assert policy.spawn("/usr/bin/git", ["status"]).allowed
    assert not policy.read("/data/a").allowed
    assert not policy.outbound_name("api.example.org", 443).allowed
    assert policy.read("/data/private/x").rule == "permissions.filesystem.deny.all[0]"
    with pytest.raises(UsageError, match=r"no rule `filesystem.read\[9\]`"):
        Grants(ASKED).only(["filesystem.read[9]"])


def test_a_revoked_deny_rule_denies_no_more() -> None:
    grants = Grants(ASKED)
    denied = grants.policy().read("/data/private/x")
    assert denied.remedy == "--revoke 'filesystem.deny.all[0]'"
    assert grants.revoke("filesystem.deny.all[0]").policy().read("/data/private/x").allowed


def test_the_operator_adds_rules_whose_ids_are_never_used_again() -> None:
    grants = Grants(ASKED).grant("filesystem.read=/x/**")
    assert grants.policy().read("/x/a").rule == "operator.filesystem.read[0]"
    grants = grants.revoke("operator.filesystem.read[0]").grant("filesystem.read=/y")
    assert not grants.policy().grant("operator.filesystem.read[0]")
    assert grants.policy().read("/y").rule == "operator.filesystem.read[1]"
    assert not grants.policy().read("/x/a").allowed


@pytest.mark.parametrize(
    ("text", "path_or_host"),
    [
        ("filesystem.read=/data/a", "/data/a"),
        ("filesystem.deny.read=/data/a", "/data/a"),
        ("filesystem.deny.all=/**", "/data/a"),
    ],
)
def test_the_operator_denies(text: str, path_or_host: str) -> None:
    decision = Grants(ASKED).deny(text).policy().read(path_or_host)
    assert not decision.allowed
    assert (decision.rule or "").startswith("operator.filesystem.deny.")


def test_the_operator_denies_hosts_and_programs() -> None:
    grants = Grants(ASKED).deny("network.outbound=api.example.org:443").deny("process.spawn=/usr/bin/**")
    assert not grants.policy().outbound_name("api.example.org", 443).allowed
    assert not grants.policy().spawn("/usr/bin/git", ["status"]).allowed
    with pytest.raises(UsageError, match="cannot be denied; revoke the rule that allows it"):
        grants.deny("environment.read=LANG")


def test_what_cannot_be_done_is_refused_in_one_line() -> None:
    grants = Grants(ASKED)
    for change in (
        lambda: grants.revoke("filesystem.read[7]"), lambda: grants.grant("filesystem.read[0]"),
        lambda: grants.revoke(READ_0).revoke(READ_0), lambda: grants.revoke("operator.filesystem.read[0]"),
        lambda: grants.grant("filesystem.raed=/x"), lambda: grants.grant("filesystem.read=x"),
    ):  # fmt: skip
        with pytest.raises(UsageError) as caught:
            change()
        assert "\n" not in str(caught.value)


def test_the_next_version_keeps_what_was_granted_and_withholds_what_is_new() -> None:
    grants = Grants(ASKED).revoke("filesystem.read[1]").grant("filesystem.read=/op").revoke("filesystem.deny.all[0]")
    new = (
        patterns("filesystem.read", "/new/**", "/etc/hosts", "/data/**")
        .plus(patterns("filesystem.deny.all", "/data/private/**", "/data/more/**"))
        .plus(hosts("network.outbound", "api.example.org 443", "other.example 443"))
    )
    carried, unasked = grants.carried_to(new)
    policy = carried.policy()
    assert unasked == ("permissions.filesystem.read[0]", "permissions.network.outbound[1]")
    assert policy.read("/data/x").rule == "permissions.filesystem.read[2]"
    assert policy.read("/op").allowed
    assert policy.outbound_name("api.example.org", 443).allowed
    assert not policy.read("/etc/hosts").allowed
    assert not policy.read("/new/x").allowed
    assert not policy.outbound_name("other.example", 443).allowed
    assert policy.read("/data/private/x").allowed
    assert not policy.read("/data/more/x").allowed
    assert carried.version == grants.version + 1


def test_grants_are_stored() -> None:
    grants = Grants(ASKED).revoke(READ_0).grant("network.outbound=h.example:443,private")
    assert Grants.from_json(json.loads(json.dumps(grants.to_json()))) == grants


@pytest.mark.parametrize(
    ("text", "allows"),
    [
        ("filesystem.write=/x", lambda policy: policy.write("/x")),
        ("network.outbound=h.example:443", lambda policy: policy.outbound_name("h.example", 443)),
        ("network.outbound=[::1]:80", lambda policy: policy.outbound_address("::1", 80)),
        ("network.outbound=h.example:443,private", lambda policy: policy.dialable("h.example", 443, ["10.0.0.1"])[1]),
        ("network.outbound=h.example:443,tls_insecure", lambda policy: policy.tls_insecure("h.example", 443)),
        ("network.inbound=127.0.0.1:0", lambda policy: policy.inbound("127.0.0.1", 0)),
        ("network.resolve=h.example", lambda policy: policy.resolve("h.example")),
        ("process.spawn=/bin/echo 'a b' *", lambda policy: policy.spawn("/bin/echo", ["a b", "c"])),
        ("process.signals=hup", lambda policy: policy.signal("SIGHUP")),
        ("environment.read=LANG", lambda policy: policy.environment("LANG")),
        ("storage.namespaces=me:x:read,write", lambda policy: policy.storage("me:x", "write")),
        ("storage.namespaces=me:x", lambda policy: policy.storage("me:x", "read")),
        ("messaging.send=a/*", lambda policy: policy.message("a/b", "send")),
        ("messaging.publish=t", lambda policy: policy.topic("t", "publish")),
        (f"jobs.submit={'ab' * 32}", lambda policy: policy.submit_job("ab" * 32)),
        ("rooms.post=lob*", lambda policy: policy.post_room("lobby")),
    ],
)
def test_each_kind_of_rule_of_the_operator(text: str, allows: object) -> None:
    assert callable(allows)
    decision = allows(Grants().grant(text).policy())
    assert decision.allowed
    assert decision.rule.startswith("operator.")


def test_killing_can_be_granted_by_itself() -> None:
    grants = Grants(programs(("/usr/bin/git", ())))
    assert grants.policy().kill().remedy == "--grant process.kill=true"
    assert grants.grant("process.kill=true").policy().kill().rule == "operator.process.kill"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("filesystem.read=x", "filesystem.read=x: pattern must start with /"),
        ("network.outbound=h.example", "network.outbound=h.example: HOST:PORT is needed"),
        ("network.deny=h.example:1,private", "network.deny=h.example:1,private: private is not known here"),
        ("network.outbound=h.example:0", "network.outbound=h.example:0: ports are 1 to 65535"),
        ("network.inbound=h.example:1", "network.inbound=h.example:1: an address is needed"),
        ("process.spawn='", "process.spawn=': No closing quotation"),
        ("process.spawn=", "process.spawn=: a command is needed"),
        ("process.signals=term", "process.signals=term: process.kill=true allows it"),
        ("process.signals=0", "process.signals=0: not a signal"),
        ("process.kill=no", "process.kill=no: true is needed; --revoke process.kill takes it away"),
        (
            "storage.namespaces=x",
            "storage.namespaces=x: PREFIX:NAME:ACTION is needed, with read, write and delete for ACTION",
        ),
        ("jobs.submit=x", "jobs.submit=x: 64 hexadecimal characters"),
        ("file.read=/x", "`file.read` is no group of permissions; did you mean filesystem.read?"),
        ("zzzz=/x", "`zzzz` is no group of permissions; these are: filesystem.read, "),
    ],
)
def test_rules_of_the_operator_that_are_none(text: str, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_rule(text, 0)
    assert str(caught.value).startswith(why)


@given(st.sampled_from(GROUPS), st.text(max_size=30))
def test_any_text_is_a_rule_or_refused(group: str, value: str) -> None:
    try:
        rules = read_rule(f"{group}={value}", 3)
    except UsageError as error:
        refused = str(error)
    else:
        refused = ""
        assert [rule.index for rule in rules] == [3]
    assert "\n" not in refused


@given(st.sampled_from(["/data/x", "/a b/'c", "/a*b", "/x\\y", "/é"]))
def test_the_remedy_of_a_denial_is_what_allows_it(path: str) -> None:
    """The words after `--grant`, as a shell gives them."""
    import shlex

    denied = Grants().policy().read(path)
    option, text = shlex.split(denied.remedy)
    assert option == "--grant"
    assert Grants().grant(text).policy().read(path).allowed


def test_the_remedies_of_other_denials_allow_them_too() -> None:
    import shlex

    asks = [
        lambda policy: policy.outbound_name("h.example", 443), lambda policy: policy.outbound_address("::1", 80),
        lambda policy: policy.inbound("127.0.0.1", 80), lambda policy: policy.resolve("h.example"),
        lambda policy: policy.spawn("/bin/echo", ["a b", "*", "$x"]), lambda policy: policy.signal(34),
        lambda policy: policy.environment("LANG"), lambda policy: policy.storage("me:x", "delete"),
        lambda policy: policy.message("a/b", "receive"), lambda policy: policy.topic("a/b", "subscribe"),
        lambda policy: policy.submit_job("ab" * 32), lambda policy: policy.post_room("!room:x"),
        lambda policy: policy.tls_insecure("h.example", 443),
    ]  # fmt: skip
    for ask in asks:
        denied = ask(Grants().policy())
        assert not denied.allowed
        _, text = shlex.split(denied.remedy)
        assert ask(Grants().grant(text).policy()).allowed, denied


def test_no_command_is_shown_for_what_cannot_be_typed() -> None:
    assert Grants().policy().read("/a\nb").remedy == ""
    assert Grants().policy().read("/a\u202eb").remedy == ""


def test_a_rule_without_a_list_has_one_id() -> None:
    assert PatternRule("process.kill", 5, "permissions", "true").id == "permissions.process.kill"
    assert [rule.denies for rule in Rules((PatternRule("process.deny", 0, "permissions", "/x"),))] == [True]
