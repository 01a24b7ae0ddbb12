"""The rules for our WIT, over the resolved tree; and what is made of it is what it says."""

import dataclasses
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.components.bindings import operations
from runtime.components.wit import (
    Alias,
    Enum,
    Flags,
    Function,
    Handle,
    Interface,
    ListOf,
    Named,
    OptionOf,
    Primitive,
    Record,
    ResourceType,
    ResultOf,
    TupleOf,
    Type,
    Variant,
    Wit,
    WitError,
)
from runtime.components.wit_reader import read
from tools import wit as generator
from tools import wit_check, wit_types, wit_writer

ROOT = Path(__file__).resolve().parents[2]
RESOLVED = (ROOT / "assets/wit/resolved.json").read_text()
WIT: Wit = read(RESOLVED)
FUNCTIONS = [(interface, function) for interface in WIT.interfaces for function in interface.functions]
CANNOT_FAIL = {"host-services.list-components", "lifecycle.child.info"}
"""They need a permission and have no error: a list that is empty without one, and a thing the host knows."""

WAITING = {
    "host-messaging.send-request", "host-jobs.wait",
    "socket.socket.accept", "socket.socket.receive", "socket.socket.receive-from", "socket.socket.send-all",
    "socket.socket.receive-all", "socket.socket.poll", "connection.connection-pool.pool-acquire", "connection.connect",
    "connection.connect-host", "connection.connect-with-retry", "connection.resolve-hostname",
    "connection.resolve-hostname-single", "connection.reverse-lookup", "connection.upgrade-to-tls",
    "lifecycle.child.wait-with-timeout", "lifecycle.child.join", "lifecycle.child.read-stdout",
    "lifecycle.child.read-stderr", "lifecycle.child.write-stdin", "lifecycle.wait-any-child-with-timeout",
    "signals.watch.next", "signals.graceful-shutdown", "signals.graceful-shutdown-group",
}  # fmt: skip
LAYERS = {"orlop:core/types": 0, "orlop:core/capabilities": 1, "orlop:core/permissions": 2}


def parts(kind: Type | None) -> Iterator[Type]:
    """A type and all that it is made of, names not followed."""
    if kind is None:
        return
    yield kind
    match kind:
        case ListOf(inner) | OptionOf(inner):
            yield from parts(inner)
        case TupleOf(elements):
            for element in elements:
                yield from parts(element)
        case ResultOf(good, bad):
            yield from parts(good)
            yield from parts(bad)
        case _:
            return


def all_types(function: Function) -> list[Type]:
    """Everything in a signature."""
    return [one for kind in (*(kind for _, kind in function.parameters), function.result) for one in parts(kind)]


def used(interface: Interface) -> set[str]:
    """The interfaces whose types an interface names."""
    kinds = [one for function in interface.functions for one in all_types(function)]
    for definition in interface.definitions:
        match definition.shape:
            case Record(fields) | Variant(fields):
                kinds += [one for part in fields for one in parts(part.type)]
            case Alias(kind):
                kinds += parts(kind)
            case Enum() | Flags() | ResourceType():
                pass
    named = [kind.resource if isinstance(kind, Handle) else kind for kind in kinds]
    found = {f"{kind.package}/{kind.interface}" for kind in named if isinstance(kind, Named)}
    return found - {f"{interface.package}/{interface.name}"}


def test_no_type_has_a_name_that_readers_take_for_another() -> None:
    names = {one.name for interface in WIT.interfaces for one in interface.definitions}
    assert not names & {"err", "ok", "some", "result", "option"}


def test_every_type_and_interface_says_what_it_is() -> None:
    bare = [f"{i.id}#{one.name}" for i in WIT.interfaces for one in i.definitions if not one.docs]
    assert bare + [i.id for i in WIT.interfaces if not i.docs] + [w.id for w in WIT.worlds if not w.docs] == []


def label(interface: Interface, function: Function) -> str:
    """As records name it."""
    return f"{interface.name}.{function.name}"


def test_a_function_takes_one_borrow_at_most() -> None:
    for interface, function in FUNCTIONS:
        handles = [one for _, kind in function.parameters for one in parts(kind) if isinstance(one, Handle)]
        borrows = [one for one in handles if not one.owned]
        assert len(borrows) + bool(function.resource) <= 1, label(interface, function)
        in_lists = [one for one in all_types(function) if isinstance(one, ListOf) and isinstance(one.element, Handle)]
        assert in_lists == [], label(interface, function)


def test_what_can_fail_says_so_by_its_packages_error() -> None:
    for interface, function in FUNCTIONS:
        result = None if function.result is None else WIT.resolved(function.result)
        if isinstance(result, ResultOf):
            error = result.error
            assert isinstance(error, Named), label(interface, function)
            assert (error.package, error.interface) == (interface.package, "types"), label(interface, function)
            assert error.name.endswith("-error"), label(interface, function)
        else:
            assert function.permission == "none" or label(interface, function) in CANNOT_FAIL


def test_what_waits_takes_a_timeout() -> None:
    duration = Named("orlop:core", "types", "duration-ms")
    found = {label(i, f) for i, f in FUNCTIONS for name, kind in f.parameters if (name, kind) == ("timeout", duration)}
    assert found - {"connection.set-idle-timeout"} == WAITING


def test_no_handle_is_a_number() -> None:
    for interface, function in FUNCTIONS:
        numbers = [name for name, kind in function.parameters if isinstance(WIT.resolved(kind), Primitive)]
        assert not {"fd", "handle", "pid", "socket", "file", "child", "pool"} & set(numbers), label(interface, function)


def test_a_list_that_the_host_returns_has_an_end() -> None:
    for interface, function in FUNCTIONS:
        if f"{interface.package}/{interface.name}" not in WIT.exported and function.result is not None:
            result = WIT.resolved(function.result)
            value = result.ok if isinstance(result, ResultOf) else result
            if any(isinstance(one, ListOf) for one in parts(value)):
                assert "at most" in function.docs.lower(), label(interface, function)


def test_no_string_holds_json() -> None:
    assert [label(i, f) for i, f in FUNCTIONS if "json" in f.docs.lower()] == []


def test_packages_use_those_below_them_and_no_extension_another() -> None:
    for interface in WIT.interfaces:
        name = f"{interface.package}/{interface.name}"
        if interface.package == "orlop:core":
            assert all(LAYERS.get(other, 1) < LAYERS.get(name, 2) for other in used(interface)), name
        else:
            assert {other for other in used(interface) if not other.startswith(interface.package)} <= {
                "orlop:core/types"
            }


def test_worlds_give_what_their_names_say() -> None:
    base = set(WIT.world("orlop:core/component").imports)
    for name in ("filesystem", "network", "process"):
        package = f"orlop:ext-{name}"
        own = {f"{one.package}/{one.name}" for one in WIT.interfaces if one.package == package}
        assert set(WIT.world(f"orlop:worlds/with-{name}").imports) == base | own
    everything = {f"{one.package}/{one.name}" for one in WIT.interfaces} - WIT.exported
    assert set(WIT.world("orlop:worlds/full").imports) == everything
    for interface in ("orlop:core/host-jobs", "orlop:core/host-rooms"):
        assert [world.id for world in WIT.worlds if interface in world.imports] == ["orlop:worlds/full"]


def test_the_table_has_the_operations_of_the_wit() -> None:
    in_wit = {(i.package, i.name, f.name, f.permission) for i in WIT.interfaces for f in i.functions}
    in_table = {(one.package, one.interface, one.name, one.permission) for one in operations.OPERATIONS}
    assert in_wit - in_table == set()
    assert in_table - in_wit == set()
    assert len(operations.OPERATIONS) == len(in_table)
    assert {one.interface for one in operations.EXPORTS} == {"component-lifecycle"}
    assert len({one.label for one in operations.OPERATIONS}) == len(operations.OPERATIONS)
    assert {world: frozenset(names) for world, names in operations.WORLDS.items()} == {
        world.id: frozenset(world.imports) for world in WIT.worlds
    }


def test_every_operation_of_the_original_is_there() -> None:
    counts: dict[str, int] = {}
    for one in operations.OPERATIONS:
        counts[one.package] = counts.get(one.package, 0) + 1
    assert counts == {
        "orlop:core": 42 + 8,  # jobs, rooms and topics are orlop's own
        "orlop:ext-filesystem": 41,
        "orlop:ext-network": 35,
        "orlop:ext-process": 47,
    }


def test_generated_files_are_what_the_wit_says_and_a_changed_one_is_found(tmp_path: Path) -> None:
    made = generator.files()
    assert generator.settle(made, write=False) == []
    (tmp_path / "assets/wit").mkdir(parents=True)
    assert len(generator.settle(made, write=True, root=tmp_path)) == len(made)
    assert generator.settle(made, write=False, root=tmp_path) == []
    changed = tmp_path / "runtime/components/bindings/core_storage.py"
    changed.write_text(changed.read_text() + "\n")
    (tmp_path / "runtime/components/bindings/old.py").touch()
    assert generator.settle(made, write=False, root=tmp_path) == [
        "runtime/components/bindings/core_storage.py",
        "runtime/components/bindings/old.py",
    ]


def test_the_wit_passes_its_readers_and_breaks_nobody() -> None:
    assert list(wit_check.check(WIT)) == []


RELEASED = (ROOT / wit_check.RELEASED).read_text()


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("    quota: func() -> filesystem-quota;\n", "", ""),  # the released one had less
        ("record timestamp {", "record timestamp {\n      zone: string,", "expected 3 fields, found 2"),
        ("    trace,\n", "    trace,\n        whisper,\n", "log-level"),
        ("    quota: func() -> filesystem-quota;", "    quota: func() -> filesystem-quota;\n gone: func();", "gone"),
        ("exists: func(path: path)", "exists: func(path: path, deep: bool)", "exists"),
    ],
)
def test_a_change_of_what_was_released_is_found(tmp_path: Path, old: str, new: str, why: str) -> None:
    assert old in RELEASED
    before = tmp_path / "released.wit"
    before.write_text(RELEASED.replace(old, new))
    found = [line for line in wit_check.check(WIT, before=before) if "released" in line]
    assert bool(found) == bool(why)
    assert all(why in line for line in found if "full" in line)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("use types.{component-id, ", "use typos.{component-id, ", "typos"),
        ("mailbox: func() -> mailbox-status;", "mailbox func() -> mailbox-status;", "host-messaging.wit:41:13"),
        (
            "mailbox: func() -> mailbox-status;",
            "Mail_box: func() -> mailbox-status;",
            "invalid character in identifier",
        ),
        ("mailbox: func() -> mailbox-status;", "mailbox: func() -> letter-box;", "letter-box"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, old: str, new: str, why: str) -> None:
    folder = tmp_path / "wit"
    shutil.copytree(ROOT / "assets/wit", folder)
    path = folder / "deps/core/host-messaging.wit"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(wit_check.ToolError, match=re.escape(why)):
        wit_check.wasm_tools("component", "wit", str(folder))


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (r"\n@perm msg.send\n", r"\n", "host-messaging#send-message: its documentation has no @perm and @fix"),
        (r"@perm msg.send\n", r"@perm everything\n", "@perm names no permission: everything"),
        (r'{"list":"u8"}', r'{"stream":"u8"}', "`stream` cannot be converted"),
    ],
)
def test_what_has_no_bindings_is_refused(old: str, new: str, why: str) -> None:
    compact = json.dumps(json.loads(RESOLVED), separators=(",", ":"))
    assert old in compact
    with pytest.raises(WitError, match=re.escape(why)):
        read(compact.replace(old, new))


def test_an_option_of_an_option_and_a_name_that_is_given_twice_are_refused() -> None:
    types = next(one for one in WIT.interfaces if one.id == "orlop:ext-filesystem/types@1.0.0")
    writer = wit_writer.Writer(WIT, types)
    with pytest.raises(WitError, match="option of an option"):
        writer.annotation(OptionOf(OptionOf(Primitive("u8"))))
    with pytest.raises(WitError, match="cannot be converted"):
        writer.annotation(Primitive("f32"))
    twice = dataclasses.replace(types, definitions=(*types.definitions, types.definitions[0]))
    with pytest.raises(WitError, match="names of classes appear twice"):
        wit_types.case_names(twice)
