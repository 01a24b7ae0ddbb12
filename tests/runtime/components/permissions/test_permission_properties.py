"""What holds for all rules and requests: matchers are as slow ones that are easy to believe, and nothing raises."""

import json
import re
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.components.permissions import Decision, Policy
from runtime.components.permissions.addresses import canonical, embedded, is_special
from runtime.components.permissions.errors import InvalidRequestError, PatternError
from runtime.components.permissions.glob import Glob, quoted
from runtime.components.permissions.hosts import HostPattern, normalise_host
from runtime.components.permissions.paths import PathPattern, normalise
from runtime.components.permissions.ports import PortRange
from runtime.components.permissions.processes import ArgumentPatterns
from runtime.components.permissions.rules import HostRule, PatternRule, Rules, SpawnRule, StorageRule
from runtime.components.permissions.signals import read_signal
from runtime.shapes import ShapeError

SHORT = st.text("ab*?", max_size=8)
WORD = st.text("ab", max_size=8)
NAMES = st.sampled_from(["a", "b", "ab", "*", "**", "a*", "?", "*b", "a?"])
PATH_PATTERNS = (
    st.lists(NAMES, max_size=6).filter(lambda names: names.count("**") <= 4).map(lambda n: "/" + "/".join(n))
)
PATHS = st.lists(st.sampled_from(["a", "b", "ab", "aab", "."]), max_size=6).map(lambda names: "/" + "/".join(names))
ANY = st.text(st.characters(codec=None), max_size=40)
HOSTS = st.sampled_from(["example.org", "a.example.org", "b.a.example.org", "10.1.2.3", "127.0.0.1", "::1", "8.8.8.8"])
HOST_PATTERNS = st.sampled_from(
    ["example.org", "*.example.org", "*", "10.0.0.0/8", "127.0.0.1", "::/0", "0.0.0.0/0", "8.8.8.8", "a.example.org"]
)


T = TypeVar("T")


def outcome(function: Callable[..., T], *arguments: object) -> tuple[T | None, str]:
    """What a function returns, or the reason for which it refuses; nothing else may come out."""
    try:
        return function(*arguments), ""
    except (InvalidRequestError, PatternError, ShapeError) as error:
        return None, error.why


def slow_glob(pattern: str, text: str) -> bool:
    """The definition, spelled out."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(slow_glob(pattern[1:], text[start:]) for start in range(len(text) + 1))
    return bool(text) and pattern[0] in {"?", text[0]} and slow_glob(pattern[1:], text[1:])


def slow_segments(pattern: list[str], names: list[str]) -> bool:
    if not pattern:
        return not names
    if pattern[0] == "**":
        return any(slow_segments(pattern[1:], names[start:]) for start in range(len(names) + 1))
    return bool(names) and slow_glob(pattern[0], names[0]) and slow_segments(pattern[1:], names[1:])


@given(SHORT.filter(lambda text: "**" not in text), WORD)
def test_a_glob_is_as_a_slow_one(pattern: str, text: str) -> None:
    assert Glob(pattern).matches(text) == slow_glob(pattern, text)


@given(PATH_PATTERNS, PATHS)
def test_a_path_pattern_is_as_a_slow_one(pattern: str, path: str) -> None:
    names = [name for name in normalise(path)[1:].split("/") if name]
    segments = [segment for segment in pattern[1:].split("/") if segment]
    assert PathPattern(pattern).matches(normalise(path)) == slow_segments(segments, names)


@given(st.lists(SHORT.filter(lambda text: "**" not in text), max_size=4), st.booleans(), st.lists(WORD, max_size=5))
def test_patterns_of_arguments_are_as_slow_ones(patterns: list[str], rest: bool, arguments: list[str]) -> None:
    fits = len(arguments) >= len(patterns) if rest else len(arguments) == len(patterns)
    fits = fits and all(slow_glob(one, text) for one, text in zip(patterns, arguments, strict=False))
    assert ArgumentPatterns([*patterns, *["**"] * rest]).matches(arguments) == fits


@given(st.text(max_size=20))
def test_a_quoted_text_fits_itself_only(text: str) -> None:
    assert Glob(quoted(text)).literal == text


@pytest.mark.parametrize("pattern", ["*a" * 400 + "b", "a*" * 400, "?" * 400 + "*b"])
def test_no_glob_blows_up(pattern: str) -> None:
    """An exponential matcher would not come back."""
    assert Glob(pattern).matches("a" * 4000) is (pattern == "a*" * 400)


def test_no_path_pattern_blows_up() -> None:
    pattern = PathPattern("/**/" + "/".join(["*a*a*a*"] * 20) + "/**/" + "/".join(["a*a*"] * 20) + "/**/b/**/b")
    assert not pattern.matches("/aaaaaaaaa" * 400)


@given(ANY, st.sampled_from(["/", "/data", "/data/x"]))
def test_a_normal_path_stays_as_it_is_and_has_no_dots(path: str, cwd: str) -> None:
    normal, why = outcome(normalise, path, cwd)
    if normal is None:
        assert why.startswith("invalid path: ")
        return
    assert normalise(normal) == normal
    assert normal.startswith("/")
    assert not {"", ".", ".."} & set(normal[1:].split("/")) or normal == "/"


@given(st.lists(st.sampled_from(["a", "b", "..", ".", ""]), max_size=8).map("/".join))
def test_a_path_goes_up_as_a_stack_does(path: str) -> None:
    stack: list[str] = []
    left = not path
    for name in path.split("/"):
        if name == "..":
            left = left or not stack
            stack = stack[:-1]
        elif name not in {"", "."}:
            stack.append(name)
    try:
        assert normalise(path) == "/" + "/".join(stack)
        assert not left
    except InvalidRequestError:
        assert left


@given(st.one_of(ANY, st.text("abcABC.-_[]:xn012\u3002\uff41\u00df\u0430", max_size=30)))
def test_a_normal_host_stays_as_it_is(host: str) -> None:
    normal, why = outcome(normalise_host, host)
    if normal is None:
        assert why.startswith("invalid host: ")
        return
    assert normalise_host(str(normal)) == normal
    if isinstance(normal, str):
        assert re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)*", normal)
        assert not normal.rpartition(".")[2].isdigit()


@given(st.ip_addresses(v=4))
def test_whatever_hides_a_private_address_is_special(inside: IPv4Address) -> None:
    number = int(inside)
    for outside in (
        IPv6Address((0xFFFF << 32) | number),
        IPv6Address((0x2002 << 112) | (number << 80)),
        IPv6Address((0x64FF9B << 96) | number),
    ):
        assert embedded(outside) == inside
        assert is_special(outside) or not is_special(inside)
        assert canonical(outside) == (inside if outside.ipv4_mapped else outside)


@given(HOST_PATTERNS, HOSTS)
def test_a_deny_rule_is_about_at_least_what_an_allow_rule_is_about(pattern: str, host: str) -> None:
    allowed = Policy(_hosts("network.outbound", pattern)).outbound_name(host, 443).allowed
    assert not allowed or HostPattern(pattern).touches(normalise_host(host))


def _hosts(group: str, pattern: str, index: int = 0) -> Rules:
    return Rules(hosts=(HostRule(group, index, "permissions", pattern, (PortRange(1, 65_535),)),))


def _patterns(group: str, values: st.SearchStrategy[str]) -> st.SearchStrategy[PatternRule]:
    return st.builds(PatternRule, st.just(group), st.integers(0, 3), st.just("permissions"), values)


FILE_GROUPS = ["filesystem.read", "filesystem.write", "filesystem.deny.read", "filesystem.deny.all"]
RULES = st.builds(
    Rules,
    patterns=st.lists(
        st.one_of(
            *(_patterns(group, PATH_PATTERNS) for group in FILE_GROUPS),
            _patterns("process.deny", PATH_PATTERNS),
            _patterns("process.signals", st.sampled_from(["hup", "usr1", "34"])),
            _patterns("process.kill", st.just("true")),
            _patterns("environment.read", st.sampled_from(["*", "A*", "LANG"])),
            _patterns("messaging.send", st.sampled_from(["*/*", "a/*", "a/b"])),
            _patterns("messaging.publish", st.sampled_from(["*", "a/*", "a"])),
            _patterns("network.resolve", st.sampled_from(["*", "example.org"])),
            _patterns("jobs.submit", st.sampled_from(["*", "ab*"])),
            _patterns("rooms.post", st.sampled_from(["*", "lob*", "lobby"])),
        ),
        max_size=5,
    ).map(tuple),
    hosts=st.lists(
        st.builds(
            HostRule,
            st.sampled_from(["network.outbound", "network.deny"]),
            st.integers(0, 3),
            st.just("permissions"),
            HOST_PATTERNS,
            st.sampled_from([(PortRange(443, 443),), (PortRange(1, 65_535),)]),
            st.booleans(),
            st.booleans(),
        ),
        max_size=4,
    ).map(tuple),
    spawn=st.lists(
        st.builds(
            SpawnRule,
            st.just("process.spawn"),
            st.integers(0, 3),
            st.just("permissions"),
            PATH_PATTERNS,
            st.sampled_from([(), ("**",), ("a", "*")]),
        ),
        max_size=2,
    ).map(tuple),
    storage=st.lists(
        st.builds(
            StorageRule,
            st.just("storage.namespaces"),
            st.integers(0, 3),
            st.just("permissions"),
            st.sampled_from(["me:*", "me:state", "shared:*"]),
            st.sampled_from([("read",), ("read", "write")]),
        ),
        max_size=2,
    ).map(tuple),
)


def _asked(policy: Policy, path: str, host: str, text: str) -> list[Decision]:
    """One decision of each kind."""
    answers = ["127.0.0.1", "10.0.0.1", "8.8.8.8", "64:ff9b::7f00:1", text]
    return [
        policy.read(path), policy.write(path), policy.delete(text), policy.list(text), policy.file("read", path, text),
        policy.file("read", text, path), policy.denied("read", path) or Decision(True, None, ""),
        policy.outbound_name(host, 443), policy.outbound_name(text, 443), policy.outbound_address(host, 80),
        policy.outbound_address(text, -1), policy.dialable(host, 443, answers)[1],
        policy.dialable(text, 443, answers)[1], policy.inbound(host, 443), policy.inbound(text, 0),
        policy.resolve(host), policy.resolve(text), policy.tls_insecure(host, 443), policy.tls_insecure(text, 443),
        policy.any_network(), policy.spawn(path, [text]), policy.spawn(path, ["a"]), policy.spawn(text, ["a", text]),
        policy.child_environment("permissions.process.spawn[0]", text), policy.any_spawn(), policy.kill(),
        policy.signal("hup"), policy.signal(text), policy.signal(34), policy.environment("LANG"),
        policy.environment(text), policy.storage("me:state", "write"), policy.storage(text, "read"),
        policy.message("a/b", "send"), policy.message(text, "send"), policy.topic("a", "publish"),
        policy.topic(text, "publish"), policy.submit_job("ab" * 32), policy.submit_job(text),
        policy.post_room("lobby"), policy.post_room(text),
    ]  # fmt: skip


@given(RULES, PATHS, HOSTS, ANY)
def test_no_text_raises_and_each_decision_says_why(rules: Rules, path: str, host: str, text: str) -> None:
    for decision in _asked(Policy(rules), path, host, text):
        assert decision.reason.isprintable()
        assert decision.remedy.isprintable()
        assert not decision.allowed or decision.rule is not None or not decision.reason


@given(RULES, RULES, PATHS, HOSTS, ANY)
def test_an_allow_rule_more_denies_nothing_more(rules: Rules, more: Rules, path: str, host: str, text: str) -> None:
    wider = rules.plus(more.where(lambda rule: not rule.denies))
    before, after = (_asked(Policy(one), path, host, text) for one in (rules, wider))
    assert [old for old, new in zip(before, after, strict=True) if old.allowed and not new.allowed] == []


@given(RULES, RULES, PATHS, HOSTS, ANY)
def test_a_deny_rule_more_allows_nothing_more(rules: Rules, more: Rules, path: str, host: str, text: str) -> None:
    narrower = rules.plus(more.where(lambda rule: rule.denies))
    before, after = (_asked(Policy(one), path, host, text) for one in (rules, narrower))
    assert [new for old, new in zip(before, after, strict=True) if new.allowed and not old.allowed] == []


@given(RULES, PATHS, HOSTS, ANY)
def test_where_rules_stand_does_not_matter(rules: Rules, path: str, host: str, text: str) -> None:
    turned = Rules(rules.patterns[::-1], rules.hosts[::-1], rules.spawn[::-1], rules.storage[::-1])
    before, after = (_asked(Policy(one), path, host, text) for one in (rules, turned))
    assert [one.allowed for one in before] == [one.allowed for one in after]


@given(RULES, RULES, st.integers(0, 2**40))
def test_a_policy_goes_over_the_wire(rules: Rules, withheld: Rules, version: int) -> None:
    policy = Policy(rules, version, withheld, {"permissions.filesystem": 3})
    assert Policy.from_json(json.loads(json.dumps(policy.to_json()))) == policy


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | ANY,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["rules", "version", "hosts"]), inner),
    max_leaves=8,
)


@given(JSON)
def test_what_is_no_policy_is_refused_with_its_place(value: object) -> None:
    policy, why = outcome(Policy.from_json, value)
    assert policy is None or Policy.from_json(policy.to_json()) == policy
    assert (policy is None) == bool(why)


def test_a_policy_with_a_pattern_that_is_none_is_refused() -> None:
    value = Policy(Rules(patterns=(PatternRule("filesystem.read", 0, "permissions", "/a"),))).to_json()
    broken = json.loads(json.dumps(value).replace('"/a"', '"a/../b"'))
    with pytest.raises(ShapeError, match="pattern must start with /"):
        Policy.from_json(broken)


@given(ANY | st.integers(-3, 200))
def test_signals_are_those_that_a_program_may_send(signal: str | int) -> None:
    number = read_signal(signal)
    assert number is None or (1 <= number <= 64 and number not in {32, 33})


@given(st.sampled_from([PathPattern, Glob, HostPattern]), ANY)
def test_a_pattern_is_compiled_or_refused(kind: type[PathPattern | Glob | HostPattern], text: str) -> None:
    compiled, why = outcome(kind, text)
    assert (compiled is None) == bool(why)
