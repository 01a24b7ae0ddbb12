"""The truth tables: every rule with every request, and what comes out for which reason."""

import re

import pytest

from runtime.components.permissions import Decision, Policy
from runtime.components.permissions.errors import InvalidRequestError, PatternError
from runtime.components.permissions.paths import PathPattern, normalise
from runtime.components.permissions.rules import Rules, SpawnRule
from tests.runtime.components.permissions.granting import hosts, patterns, programs, storage

LONG = "/data/" + "n" * 256


def short(decision: Decision) -> tuple[str, str]:
    """Result and reason as the tables have them."""
    reason = decision.reason.removeprefix("allowed by ").removeprefix("denied by ")
    reason = re.sub(r"permissions\.(?:[a-z]+\.)*deny(?:\.[a-z]+)?(\[\d+\])", r"deny\1", reason)
    reason = re.sub(r"permissions\.[a-z.]+(\[\d+\])", r"allow\1", reason)
    return "allowed" if decision.allowed else "denied", reason


def ask(rule: str, request: str, resolved: str | None = None) -> tuple[str, str]:
    allow, _, deny = rule.partition("; deny ")
    rules = patterns("filesystem.read", *filter(None, [allow])).plus(
        patterns("filesystem.deny.read", *filter(None, [deny]))
    )
    try:
        path = normalise(request, "/data")
    except InvalidRequestError:
        path = request
    return short(Policy(rules).file("read", path, resolved))


@pytest.mark.parametrize(
    ("pattern", "request_", "result", "why"),
    [
        ("/data/**", "/data/a.txt", "allowed", "allow[0]"),
        ("/data/**", "/data", "allowed", "allow[0]"),
        ("/data/**", "/database/x", "denied", "no rule"),
        ("/data/**", "/data/../etc/passwd", "denied", "no rule"),
        ("/data/**", "/data/./a//b", "allowed", "allow[0]"),
        ("/data/**", "/../x", "denied", "invalid path: leaves the root"),
        ("/data/**", "sub/x", "allowed", "allow[0]"),
        ("/data/**", "../etc/x", "denied", "no rule"),
        ("/data/**", "/DATA/x", "denied", "no rule"),
        ("/data/**", "/data/.hidden", "allowed", "allow[0]"),
        ("/config/*.json", "/config/a.json", "allowed", "allow[0]"),
        ("/config/*.json", "/config/x/a.json", "denied", "no rule"),
        ("/config/*", "/config", "denied", "no rule"),
        ("/a/?/c", "/a/bb/c", "denied", "no rule"),
        ("/a/**/z", "/a/z", "allowed", "allow[0]"),
        ("/a/**/z", "/a/b/c/y", "denied", "no rule"),
        ("/", "/", "allowed", "allow[0]"),
        (r"/data/f\*", "/data/f*", "allowed", "allow[0]"),
        ("/data/**; deny /data/private/**", "/data/private/k", "denied", "deny[0]"),
        ("/data/**; deny /data/private/**", "/data/private", "denied", "deny[0]"),
        ("/data/**; deny /data/private/**", "/data/private/../ok", "allowed", "allow[0]"),
        ("", "/data/b", "denied", "no rule"),
        ("/data/**", "/data/\udc80", "denied", "invalid path: not UTF-8"),
        ("/data/**", "/data/a\0b", "denied", "invalid path: NUL"),
        ("/data/**", LONG, "denied", "invalid path: name too long"),
    ],
)
def test_paths(pattern: str, request_: str, result: str, why: str) -> None:
    assert ask(pattern, request_) == (result, why)


@pytest.mark.parametrize(
    ("pattern", "request_", "resolved", "result", "why"),
    [
        (
            "/data/**; deny /data/private/**",
            "/data/link/x",
            "/data/private/x",
            "denied",
            "deny[0] on the resolved path",
        ),
        ("/data/pub/**", "/data/l/x", "/data/pub/x", "allowed", "allow[0]"),
        ("/data/**", "/data/link/x", "/elsewhere/x", "denied", "no rule"),
        ("/data/**; deny /data/l/**", "/data/l/x", "/data/pub/x", "denied", "deny[0]"),
    ],
)
def test_paths_through_links_are_decided_where_they_lead(
    pattern: str, request_: str, resolved: str, result: str, why: str
) -> None:
    assert ask(pattern, request_, resolved) == (result, why)


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("/data/**x", "** must be a whole segment"),
        ("/data/x**", "** must be a whole segment"),
        ("/data/***", "** must be a whole segment"),
        ("/data/../x", '".." is not allowed in a pattern'),
        ("/data/./x", '"." is not allowed in a pattern'),
        (r"/data/\.\./x", '".." is not allowed in a pattern'),
        ("data/**", "pattern must start with /"),
        ("/data/[ab]", r"[ is reserved: write \["),
        ("/data/{a,b}", r"{ is reserved: write \{"),
        ("/data/", "a / at the end is not allowed in a pattern"),
        ("/data//x", "an empty segment is not allowed in a pattern"),
        ("//", "a / at the end is not allowed in a pattern"),
        ("/data/a\\", r"a \ at the end quotes nothing"),
        (r"/data\/x", r"a \ at the end quotes nothing"),
        ("/a\0b", "NUL is not allowed in a pattern"),
        ("", "an empty pattern fits nothing"),
        ("/\udc80", "not UTF-8"),
        ("/" + "x" * 1024, "longer than 1024 bytes"),
        ("/a" * 65, "more than 64 segments"),
        ("/**/a/**/b/**/c/**/d/**", "more than 4 times **"),
    ],
)
def test_patterns_that_are_refused_when_they_are_read(pattern: str, why: str) -> None:
    with pytest.raises(PatternError) as caught:
        PathPattern(pattern)
    assert caught.value.why == why


PUBLIC = "93.184.216.34"
API = "api.example.org 443"
TEN = "10.0.0.0/8 8000-8100"
DIAL = f"allow[0], dial {PUBLIC}"


@pytest.mark.parametrize(
    ("rule", "host", "port", "answers", "result", "why"),
    [
        (API, "api.example.org", 443, [PUBLIC], "allowed", DIAL),
        (API, "API.Example.ORG.", 443, [PUBLIC], "allowed", DIAL),
        (API, "api.example.org.evil.net", 443, [PUBLIC], "denied", "no rule"),
        ("*.example.org 443", "a.example.org", 443, [PUBLIC], "allowed", DIAL),
        ("*.example.org 443", "a.b.example.org", 443, [PUBLIC], "allowed", DIAL),
        ("*.example.org 443", "example.org", 443, [PUBLIC], "denied", "no rule"),
        ("*.example.org 443", "evilexample.org", 443, [PUBLIC], "denied", "no rule"),
        ("bücher.example 443", "xn--bcher-kva.example", 443, [PUBLIC], "allowed", DIAL),
        ("faß.de 443", "fass.de", 443, [PUBLIC], "denied", "no rule"),
        (API, "\uff41\uff50\uff49\u3002example.org", 443, [PUBLIC], "allowed", DIAL),
        (API, "\u0430pi.example.org", 443, [PUBLIC], "denied", "no rule"),
        (API, "api.example.org\0.x", 443, [], "denied", "invalid host: NUL"),
        (API, "api.example.org", 443, ["127.0.0.1"], "denied", "allow[0]: only special addresses (127.0.0.1)"),
        (API, "api.example.org", 443, ["10.0.0.5", PUBLIC], "allowed", DIAL),
        (API, "api.example.org", 443, ["169.254.169.254"], "denied",
         "allow[0]: only special addresses (169.254.169.254)"),
        (API, "api.example.org", 443, ["64:ff9b::7f00:1"], "denied",
         "allow[0]: only special addresses (64:ff9b::7f00:1)"),
        (API, "api.example.org", 443, ["2002:7f00:1::"], "denied", "allow[0]: only special addresses (2002:7f00:1::)"),
        (API, "api.example.org", 443, ["::ffff:127.0.0.1"], "denied", "allow[0]: only special addresses (127.0.0.1)"),
        (API, "api.example.org", 443, ["::7f00:1"], "denied", "allow[0]: only special addresses (::7f00:1)"),
        (API, "api.example.org", 443, ["0.0.0.0"], "denied", "allow[0]: only special addresses (0.0.0.0)"),
        (API, "api.example.org", 443, ["224.0.0.1"], "denied", "allow[0]: only special addresses (224.0.0.1)"),
        (API, "api.example.org", 443, ["fec0::1"], "denied", "allow[0]: only special addresses (fec0::1)"),
        (API, "api.example.org", 443, ["fe80::1%eth0"], "denied", "allow[0]: the name has no address"),
        (API, "api.example.org", 443, [], "denied", "allow[0]: the name has no address"),
        ("db.internal.lan 5432 private", "db.internal.lan", 5432, ["10.0.0.5"], "allowed", "allow[0], dial 10.0.0.5"),
        (TEN, "10.1.2.3", 8050, [], "allowed", "allow[0]"),
        (TEN, "::ffff:10.1.2.3", 8050, [], "allowed", "allow[0] (embedded 10.1.2.3)"),
        ("2001:db8::/32 443", "[2001:db8::1]", 443, [], "allowed", "allow[0]"),
        ("* 443", PUBLIC, 443, [], "denied", "no address rule"),
        ("* 443", "any.example", 443, [PUBLIC], "allowed", DIAL),
        (TEN, "167772161", 8050, [], "denied", "invalid host: looks like an IPv4 number"),
        (TEN, "010.0.0.1", 8050, [], "denied", "invalid host: looks like an IPv4 number"),
        (TEN, "127.1", 8050, [], "denied", "invalid host: looks like an IPv4 number"),
        (TEN, "0x7f.0x1", 8050, [], "denied", "invalid host: looks like an IPv4 number"),
        ("127.0.0.1 80", "\uff11\uff12\uff17.0.0.1", 80, [], "allowed", "allow[0]"),
        (API, "api.example.org", 0, [PUBLIC], "denied", "port 0 is not allowed"),
        (API, "api.example.org", 65_979, [PUBLIC], "denied", "port 65979 is not allowed"),
        ("2000::/3 443", "2002:7f00:1::", 443, [], "denied", "no address rule"),
        ("2002:7f00:1::/48 443", "2002:7f00:1::", 443, [], "allowed", "allow[0]"),
        (TEN, "64:ff9b::a01:203", 8050, [], "denied", "no address rule"),
    ],
)  # fmt: skip
def test_hosts(*, rule: str, host: str, port: int, answers: list[str], result: str, why: str) -> None:
    addresses, decision = Policy(hosts("network.outbound", rule)).dialable(host, port, answers)
    verdict, reason = short(decision)
    dialled = f", dial {', '.join(map(str, addresses))}" if addresses and answers else ""
    assert (verdict, f"{reason}{dialled}") == (result, why)
    assert bool(addresses) == decision.allowed


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("*.org", "wildcard needs two labels"),
        ("*.10.0.0.1", "* stands before names only"),
        ("a*.example.org", "* stands alone, or before a name as in *.example.org"),
        ("*.*.example.org", "* stands alone, or before a name as in *.example.org"),
        ("10.0.0.1/8", "bits are set behind the prefix: write 10.0.0.0/8"),
        ("10.0.0.0/33", "not a network such as 10.0.0.0/8"),
        ("127.1", "looks like an IPv4 number"),
        ("fe80::1%eth0", "Codepoint U+003A at position 5 of 'fe80::1%eth0' not allowed"),
        ("a_b.example", "Codepoint U+005F at position 2 of 'a_b' not allowed"),
    ],
)
def test_host_patterns_that_are_refused(pattern: str, why: str) -> None:
    with pytest.raises(PatternError) as caught:
        Policy(hosts("network.outbound", f"{pattern} 443"))
    assert caught.value.why == why


@pytest.mark.parametrize(
    ("rule", "command", "arguments", "resolved", "result", "why"),
    [
        (("/usr/bin/git", ("status", "**")), "/usr/bin/git", ["status", "-s"], None, "allowed", "allow[0]"),
        (("/usr/bin/git", ("status", "**")), "/usr/bin/git", ["status"], None, "allowed", "allow[0]"),
        (("/usr/bin/git", ("status", "**")), "/usr/bin/git", ["push"], None, "denied", "no rule"),
        (("/usr/bin/git", ("status", "**")), "git", ["status"], None, "denied", "command must be an absolute path"),
        (("/usr/bin/true", ()), "/usr/bin/true", [], None, "allowed", "allow[0]"),
        (("/usr/bin/true", ()), "/usr/bin/true", ["x"], None, "denied", "no rule"),
        (("/usr/bin/*", ("**",)), "/usr/bin/vi", [], "/etc/alternatives/vi", "denied",
         "no rule for the resolved /etc/alternatives/vi"),
        (("/usr/bin/wc", ("-l",)), "/usr/bin/wc", ["-l", "; rm"], None, "denied", "no rule"),
        (("/usr/bin/sum", ("--", "/cache/*")), "/usr/bin/sum", ["--", "/cache/a/b"], None, "allowed", "allow[0]"),
        (("/usr/bin/sum", ("**",)), "/usr/bin/sum", ["a\0b"], None, "denied", "invalid argument: NUL"),
        (("/usr/bin/sum", ("**",)), "/usr/bin/sum", ["\udc80"], None, "denied", "invalid argument: not UTF-8"),
        (("/usr/bin/sum", ("**",)), "/../sum", [], None, "denied", "invalid command: leaves the root"),
        (("/usr/bin/echo", ("",)), "/usr/bin/echo", [""], None, "allowed", "allow[0]"),
    ],
)  # fmt: skip
def test_commands(
    *,
    rule: tuple[str, tuple[str, ...]],
    command: str,
    arguments: list[str],
    resolved: str | None,
    result: str,
    why: str,
) -> None:
    assert short(Policy(programs(rule)).spawn(command, arguments, resolved)) == (result, why)


@pytest.mark.parametrize(
    ("rules", "name", "result", "why"),
    [
        (["APP_*", "LANG"], "APP_MODE", "allowed", "allow[0]"),
        (["APP_*", "LANG"], "LANG", "allowed", "allow[1]"),
        (["APP_*", "LANG"], "LANGUAGE", "denied", "no rule"),
        (["*"], "LD_PRELOAD", "denied", "always refused (LD_*)"),
        (["*"], "PATH", "denied", "always refused (PATH)"),
        (["PATH"], "PATH", "denied", "always refused (PATH)"),
        (["*"], "ORLOP_PASSPHRASE", "denied", "always refused (ORLOP_*)"),
        (["*"], "A=B", "denied", "invalid name"),
        (["*"], "", "denied", "invalid name"),
        (["*"], "1A", "denied", "invalid name"),
        (["*"], "A\n", "denied", "invalid name"),
    ],
)
def test_environment(rules: list[str], name: str, result: str, why: str) -> None:
    assert short(Policy(patterns("environment.read", *rules)).environment(name)) == (result, why)


@pytest.mark.parametrize(
    ("group", "pattern", "text", "result"),
    [
        ("messaging.send", "acme/*", "acme/notify", "allowed"),
        ("messaging.send", "acme/*", "acme/a/b", "denied"),
        ("messaging.send", "acme/*", "other/notify", "denied"),
        ("messaging.send", "*/notify", "acme/notify", "allowed"),
        ("messaging.send", "acme/no*fy", "acme/notify", "allowed"),
        ("messaging.send", "acme/notify", "acme/*", "denied"),
        ("messaging.broadcast", "acme/*", "acme/no*", "allowed"),
        ("messaging.request", "*/*", "a/b", "allowed"),
        ("messaging.receive", "acme/a", "acme/a", "allowed"),
        ("messaging.publish", "news/*/now", "news/weather/now", "allowed"),
        ("messaging.publish", "news/*", "news", "denied"),
        ("messaging.publish", "news/*", "news/a/b", "denied"),
        ("messaging.subscribe", "news/*", "news/*", "allowed"),
        ("messaging.subscribe", "news/a*", "news/*", "denied"),
    ],
)
def test_messages_and_topics(group: str, pattern: str, text: str, result: str) -> None:
    policy = Policy(patterns(group, pattern))
    action = group.partition(".")[2]
    ask_about = policy.topic if action in {"publish", "subscribe"} else policy.message
    assert short(ask_about(text, action))[0] == result


def test_an_empty_set_of_rules_allows_nothing() -> None:
    policy = Policy(Rules())
    decisions = [
        policy.read("/a"), policy.write("/a"), policy.delete("/a"), policy.list("/"),
        policy.outbound_name("example.org", 443), policy.outbound_address("8.8.8.8", 53),
        policy.inbound("127.0.0.1", 0), policy.resolve("example.org"), policy.resolve("8.8.8.8"),
        policy.tls_insecure("example.org", 443), policy.any_network(),
        policy.spawn("/bin/true", []), policy.any_spawn(), policy.kill(), policy.signal("term"), policy.signal("hup"),
        policy.environment("LANG"), policy.storage("me:state", "read"), policy.message("a/b", "send"),
        policy.topic("t", "publish"), policy.submit_job("a" * 64), policy.post_room("lobby"),
    ]  # fmt: skip
    assert [decision for decision in decisions if decision.allowed] == []


@pytest.mark.parametrize(
    ("deny", "resolves"), [("legacy.example 25", True), ("legacy.example *", False), ("legacy.example 1,65535", True)]
)
def test_a_name_of_which_every_port_is_denied_is_not_resolved(deny: str, *, resolves: bool) -> None:
    rules = hosts("network.outbound", "* 443").plus(hosts("network.deny", deny))
    assert Policy(rules).resolve("legacy.example").allowed == resolves
    assert Policy(rules).resolve("other.example").allowed


def test_names_may_be_resolved_that_may_be_connected_to_unless_a_list_says_otherwise() -> None:
    outbound = hosts("network.outbound", "*.example.org 443", "10.0.0.0/8 80")
    assert Policy(outbound).resolve("a.example.org").allowed
    assert Policy(outbound).resolve("10.0.0.1").allowed
    assert not Policy(outbound).resolve("10.0.0.1.example").allowed
    listed = Rules(patterns("network.resolve", "b.example").patterns, outbound.hosts, resolve_as_outbound=False)
    assert not Policy(listed).resolve("a.example.org").allowed
    assert Policy(listed).resolve("b.example").allowed


@pytest.mark.parametrize(
    ("rule", "address", "port", "result", "why"),
    [
        ("127.0.0.1 8000-8100", "127.0.0.1", 8050, "allowed", "allow[0]"),
        ("127.0.0.1 8000-8100", "::ffff:127.0.0.1", 8050, "allowed", "allow[0] (embedded 127.0.0.1)"),
        ("127.0.0.1 8000", "127.0.0.2", 8000, "denied", "no rule"),
        ("0.0.0.0 8000", "127.0.0.1", 8000, "denied", "no rule"),
        ("127.0.0.1 8000", "0.0.0.0", 8000, "denied", "no rule"),
        (":: 8000", "[::]", 8000, "allowed", "allow[0]"),
        ("127.0.0.1 0", "127.0.0.1", 0, "allowed", "allow[0]"),
        ("127.0.0.1 8000", "127.0.0.1", 0, "denied", "no rule"),
        ("127.0.0.1 8000", "localhost", 8000, "denied", "invalid host: not an address"),
        ("127.0.0.1 8000", "127.0.0.1", 70_000, "denied", "port 70000 is not allowed"),
    ],
)
def test_listening(*, rule: str, address: str, port: int, result: str, why: str) -> None:
    assert short(Policy(hosts("network.inbound", rule)).inbound(address, port)) == (result, why)


@pytest.mark.parametrize(
    ("deny", "host", "result"),
    [
        ("10.0.0.0/8 80", "10.1.2.3", "denied"),
        ("10.0.0.0/8 80", "::ffff:10.1.2.3", "denied"),
        ("::ffff:10.0.0.0/104 80", "10.1.2.3", "denied"),
        ("10.0.0.0/8 80", "64:ff9b::a01:203", "denied"),
        ("10.0.0.0/8 80", "2002:a01:203::", "denied"),
        ("* 80", "10.1.2.3", "denied"),
        ("10.0.0.0/8 81", "10.1.2.3", "allowed"),
        ("11.0.0.0/8 80", "10.1.2.3", "allowed"),
    ],
)
def test_a_deny_rule_for_addresses_sees_through_transitions(deny: str, host: str, result: str) -> None:
    allow = hosts("network.outbound", "0.0.0.0/0 80", "64:ff9b::/96 80", "2002::/16 80")
    assert short(Policy(allow.plus(hosts("network.deny", deny))).outbound_address(host, 80))[0] == result


def test_a_denied_address_is_not_dialled_though_the_name_is_allowed() -> None:
    rules = hosts("network.outbound", "a.example 80").plus(hosts("network.deny", f"{PUBLIC} *"))
    addresses, decision = Policy(rules).dialable("a.example", 80, [PUBLIC, "8.8.8.8"])
    assert [str(address) for address in addresses] == ["8.8.8.8"]
    assert decision.allowed
    addresses, decision = Policy(rules).dialable("a.example", 80, [PUBLIC])
    assert (addresses, decision.rule) == ((), "permissions.network.deny[0]")


def test_a_private_rule_adds_its_addresses_to_those_of_another() -> None:
    rules = hosts("network.outbound", "*.example.org 80", "a.example.org 80 private")
    addresses, decision = Policy(rules).dialable("a.example.org", 80, ["10.0.0.1", PUBLIC])
    assert [str(address) for address in addresses] == ["10.0.0.1", PUBLIC]
    assert decision.rule == "permissions.network.outbound[1]"


def test_certificates_are_verified_unless_a_rule_for_the_host_says_otherwise() -> None:
    policy = Policy(
        hosts("network.outbound", "a.example 443", "b.example 443 tls_insecure", "10.0.0.0/8 443 tls_insecure")
    )
    assert not policy.tls_insecure("a.example", 443).allowed
    assert policy.tls_insecure("B.example.", 443).allowed
    assert not policy.tls_insecure("b.example", 444).allowed
    assert policy.tls_insecure("10.1.1.1", 443).allowed
    assert policy.any_network().rule == "permissions.network.outbound[0]"


def test_signals_and_killing() -> None:
    spawn = programs(("/usr/bin/true", ()))
    policy = Policy(spawn.plus(patterns("process.signals", "hup", "34")).plus(patterns("process.kill", "true")))
    assert [policy.signal(one).allowed for one in ("hup", "SIGHUP", 1, "34", "term", "KILL", 15)] == [True] * 7
    assert [policy.signal(one).allowed for one in ("int", 2, 0, 32, 65, "stopped", "\u0661")] == [False] * 7
    assert not Policy(spawn).signal("kill").allowed
    assert policy.signal(0).reason == "not a signal"


def test_the_rule_of_a_program_says_what_its_children_may_get() -> None:
    rule = SpawnRule("process.spawn", 0, "permissions", "/usr/bin/env", ("**",), environment=("APP_*", "LD_*"))
    policy = Policy(Rules(spawn=(rule,)))
    decision = policy.spawn("/usr/bin/env", [])
    assert decision.rule is not None
    assert policy.spawn_rule(decision.rule) == rule
    assert policy.spawn_rule("permissions.process.spawn[1]") is None
    assert policy.child_environment(decision.rule, "APP_MODE").allowed
    assert not policy.child_environment(decision.rule, "HOME").allowed
    assert policy.child_environment(decision.rule, "LD_PRELOAD").reason == "always refused (LD_*)"
    assert not policy.child_environment("permissions.process.spawn[1]", "APP_MODE").allowed


@pytest.mark.parametrize(
    ("namespace", "action", "result"),
    [
        ("me:state", "read", "allowed"),
        ("me:state", "write", "allowed"),
        ("me:state", "delete", "denied"),
        ("me:cache.1", "delete", "allowed"),
        ("me:other", "read", "denied"),
        ("shared:x", "read", "denied"),
        ("me:", "read", "denied"),
        ("me:a:b", "read", "denied"),
        ("me:state\n", "read", "denied"),
    ],
)
def test_storage(namespace: str, action: str, result: str) -> None:
    policy = Policy(storage(("me:state", ("read", "write")), ("me:cache*", ("delete",))))
    assert short(policy.storage(namespace, action))[0] == result  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("group", "rule", "asked", "result"),
    [
        ("jobs.submit", "ab" * 32, "ab" * 32, "allowed"),
        ("jobs.submit", "ab" * 32, "ab" * 31 + "ac", "denied"),
        ("jobs.submit", "ab*", "ab" * 32, "allowed"),
        ("jobs.submit", "*", "ab" * 32, "allowed"),
        ("jobs.submit", "*", "AB" * 32, "denied"),
        ("jobs.submit", "*", "ab", "denied"),
        ("rooms.post", "lobby", "lobby", "allowed"),
        ("rooms.post", "lobby", "lobby2", "denied"),
        ("rooms.post", "lob*", "lobby", "allowed"),
        ("rooms.post", "*", "", "denied"),
        ("rooms.post", "*", "a\u202e", "denied"),
    ],
)
def test_jobs_and_rooms(group: str, rule: str, asked: str, result: str) -> None:
    policy = Policy(patterns(group, rule))
    ask_about = policy.submit_job if group == "jobs.submit" else policy.post_room
    assert short(ask_about(asked))[0] == result


def test_the_line_of_a_group_stands_for_a_rule_that_is_not_there() -> None:
    lines = {
        "permissions": 3,
        "permissions.filesystem": 5,
        "permissions.filesystem.read": 6,
        "permissions.filesystem.read[0]": 7,
    }
    policy = Policy(patterns("filesystem.read", "/a"), lines=lines)
    assert [policy.read("/a").line, policy.read("/b").line, policy.write("/a").line] == [7, 6, 5]
    assert policy.environment("LANG").line == 3
    assert Policy().read("/a").line is None
