"""Writes the Python side of our WIT: protocols of hosts, adapters, callers of exports, the table of operations."""

from collections.abc import Iterable, Iterator, Mapping

from runtime.components.wit import (
    Function,
    Handle,
    Interface,
    Named,
    ResultOf,
    Type,
    Variant,
    Wit,
    WitError,
)
from tools.wit_types import case_names, types_module
from tools.wit_writer import Writer, camel, doc, first_low, host_of, module_of, snake

INTERNAL = ("internal-error", "io-error", "target-failed")
"""The case of an error variant that stands for a fault of the host, the first that it has."""


def signature(out: Writer, function: Function, body: str) -> Iterator[str]:
    """A method's declaration."""
    parameters = "".join(f", {snake(name)}: {out.annotation(kind)}" for name, kind in function.parameters)
    result = "None" if function.result is None else out.annotation(function.result)
    name = snake(function.name.rpartition(".")[2])
    yield f"    def {name}(self{parameters}{', /' if parameters else ''}) -> {result}:"
    needs = f"{function.permission} ({function.note})" if function.note else function.permission
    yield doc(function.docs if body else f"{function.docs}\n\nPermission: {needs}.", "        ")
    yield f"        {body or '...'}"


def write_protocol(out: Writer, name: str, docs: str, functions: Iterable[Function], base: str) -> None:
    """The protocol of a host or of a resource."""
    out.add("", "", f"class {name}({base}):", doc(docs, "    "))
    for function in functions:
        out.add("", *signature(out, function, ""))


def fault(out: Writer, function: Function) -> tuple[str, str]:
    """The function that makes the answer to a fault, and its definition."""
    kind = None if function.result is None else out.wit.resolved(function.result)
    if not isinstance(kind, ResultOf) or not isinstance(kind.error, Named):
        return "", ""
    shape = out.wit.definition(kind.error).shape
    assert isinstance(shape, Variant)
    case = next(name for name in INTERNAL if name in {each.name for each in shape.cases})
    defining = next(
        one for one in out.wit.interfaces if (one.package, one.name) == (kind.error.package, kind.error.interface)
    )
    made = out.reference(kind.error, case_names(defining)[kind.error.name, case])
    error = out.annotation(kind.error)
    out.use("runtime.components.values", "Err")
    return "_fault", f"def _fault(text: str) -> Err[{error}]:\n    return Err({made}(text))"


def write_adapter(out: Writer, function: Function, faulty: str) -> None:
    """The function that the engine calls. Its own names begin with an underscore, which no name of the WIT does."""
    out.use("collections.abc", "Sequence")
    out.use("runtime.components.lift", "Value")
    names = [snake(name) for name, _ in function.parameters]
    out.add("", f"    def {snake(function.name)}(_context: int, _arguments: Sequence[Value], _at: int) -> None:")
    places = {name: f"_arguments[{index + bool(function.resource)}]" for index, name in enumerate(names)}
    target = "_host"
    if function.resource:
        target = "_this"
        taken = f"_handles.resource({out.use('runtime.components.lift', 'lift_handle')}(_context, _arguments[0]))"
        out.add(f'        _this = typing.cast("{camel(function.resource)}Handle", {taken})')
    parameters = [(snake(name), kind) for name, kind in function.parameters]
    for name, kind in parameters:
        if isinstance(kind, Handle):  # before all others: a handle that is not consumed fails the call
            taken = f"{out.use('runtime.components.lift', 'lift_handle')}(_context, {places[name]})"
            way = "take" if kind.owned else "resource"
            out.add(f'        {name} = typing.cast("{out.annotation(kind)}", _handles.{way}({taken}))')
    for name, kind in parameters:
        if not isinstance(kind, Handle):
            out.add(f"        {name} = {out.lift(kind, places[name])}")
    lower = f"_answer_{snake(function.name)}"
    if has_own(function.result):
        assert function.result is not None
        out.add("", f"        def {lower}(at: int, value: {out.annotation(function.result)}) -> None:")
        out.add(f"            {out.lower(function.result, 'at', 'value')}", "")
    elif function.result is None or out.is_defined(function.result):
        lower = out.lower(function.result)
    call = f"{target}.{snake(function.name.rpartition('.')[2])}({', '.join(names)})"
    label = f"{out.interface.name}.{function.name}"
    hot = function.permission in {"none", "own"}
    way = out.use("runtime.components.host_functions", "answer" if faulty else "answer_or_trap")
    given = f"{lower}, {faulty}" if faulty else lower
    out.add(f'        {way}(_calls, "{label}", _at, lambda: {call}, {given}, hot={hot})')


def has_own(kind: Type | None) -> bool:
    """Whether a handle is in a result."""
    return isinstance(kind, Handle) or (isinstance(kind, ResultOf) and isinstance(kind.ok, Handle))


def host_module(wit: Wit, interface: Interface, resources: Mapping[Named, int]) -> str:
    """The module of an interface that a component imports."""
    out = Writer(wit, interface, resources=resources)
    stem = host_of(interface)
    for one in interface.resources:
        number = resources[Named(interface.package, interface.name, one.name)]
        out.add("", f"{snake(one.name).upper()}: typing.Final = {number}", '"""Tells the resource from others."""')
    for one in interface.resources:
        methods = [function for function in interface.functions if function.resource == one.name]
        base = f"{out.use('runtime.components.values', 'Resource')}, typing.Protocol"
        write_protocol(out, f"{camel(one.name)}Handle", one.docs, methods, base)
    free = [function for function in interface.functions if function.resource is None]
    write_protocol(out, f"{camel(stem)}Host", interface.docs, free, "typing.Protocol")
    faults = {definition for function in interface.functions if (definition := fault(out, function)[1])}
    if len(faults) > 1:
        raise WitError("its functions have several error variants", where=interface.id)
    out.add(*(line for definition in faults for line in ("", "", definition)))
    for function in interface.functions:
        if function.result is not None and not out.is_defined(function.result) and not has_own(function.result):
            out.add(
                "",
                "",
                f"def _answer_{snake(function.name)}(at: int, value: {out.annotation(function.result)}) -> None:",
            )
            out.add(f"    {out.lower(function.result, 'at', 'value')}")
    out.use("runtime.components.values", "Calls")
    out.use("runtime.components.host_functions", "add_function")
    out.add("", "", f"def link_{snake(stem)}(_root: LinkerInstance, _host: {camel(stem)}Host, _calls: Calls) -> None:")
    out.add(doc("Defines the interface in a linker, for one instance.", "    "))
    if any(map(has_handles, interface.functions)):
        out.add("    _handles = _calls.handles")
    for function in interface.functions:
        write_adapter(out, function, fault(out, function)[0])
    out.add("", f'    with _root.add_instance("{interface.id}") as _part:')
    for one in interface.resources:
        out.use("runtime.components.host_functions", "add_resource")
        out.add(f'        add_resource(_part, "{one.name}", {snake(one.name).upper()}, _handles)')
    for function in interface.functions:
        counts = f"{len(function.parameters) + bool(function.resource)}, {int(function.result is not None)}"
        out.add(f'        add_function(_part, "{function.core_name}", {snake(function.name)}, {counts})')
    head = ["from __future__ import annotations", "", "import typing"]
    guard = ["", "if typing.TYPE_CHECKING:", "    from wasmtime.component import LinkerInstance"]
    return out.text(
        f"The host's side of `{interface.package}/{interface.name}`: {first_low(interface.docs)}", head, guard
    )


def has_handles(function: Function) -> bool:
    """Whether handles come in or go out."""
    parts = [kind for _, kind in function.parameters] + ([function.result] if function.result else [])
    return function.resource is not None or any(isinstance(kind, Handle) or has_own(kind) for kind in parts)


def guest_module(wit: Wit, interface: Interface) -> str:
    """The module of an interface that a component exports."""
    out = Writer(wit, interface)
    guest = out.use("runtime.components.guest_calls", "Guest")
    out.add("", "", f"class {camel(interface.name)}:")
    out.add(doc(f"{interface.docs}\n\nArgs:\n    guest: an instance's `{interface.package}/{interface.name}`.", "    "))
    out.add("", f"    def __init__(self, guest: {guest}) -> None:", "        self._guest = guest")
    for function in interface.functions:
        writers = [f"lambda at: {out.lower(kind, 'at', snake(name))}" for name, kind in function.parameters]
        body = f'return self._guest.call("{function.name}", [{", ".join(writers)}], {out.lift(function.result)})'
        out.add("", *signature(out, function, body))
    return out.text(f"Calls `{interface.package}/{interface.name}` of a component.")


def operations_module(wit: Wit) -> str:
    """The table of all operations, and the worlds."""
    rows = []
    for interface in wit.interfaces:
        exported = f"{interface.package}/{interface.name}" in wit.exported
        for function in interface.functions:
            parts = [interface.package, interface.name, function.name, function.permission]
            written = ", ".join(f'"{part}"' for part in parts)
            note = f', "{function.note}"' if function.note else ""
            rows.append(f"    Operation({written}{note}{', exported=True' if exported else ''}),")
    worlds = [
        f'    "{world.id}": frozenset({{{", ".join(f"{chr(34)}{name}{chr(34)}" for name in world.imports)}}}),'
        for world in wit.worlds
    ]
    version = {package.version for package in wit.packages}
    assert len(version) == 1
    return "\n".join(
        [
            doc(
                "Every operation of every package with the permission that it needs, and what the worlds import.\n\nGenerated by `make wit`; do not edit."
            ),
            "",
            "from collections.abc import Mapping",
            "from typing import Final",
            "",
            "from runtime.components.values import Operation",
            "",
            '__all__ = ["EXPORTS", "IMPORTS", "OPERATIONS", "VERSION", "WORLDS"]',
            "",
            f'VERSION: Final = "{version.pop()}"',
            '"""Of all packages."""',
            "",
            "OPERATIONS: Final[tuple[Operation, ...]] = (",
            *rows,
            ")",
            "",
            "IMPORTS: Final = tuple(one for one in OPERATIONS if not one.exported)",
            '"""What components call."""',
            "",
            "EXPORTS: Final = tuple(one for one in OPERATIONS if one.exported)",
            '"""What the host calls."""',
            "",
            "WORLDS: Final[Mapping[str, frozenset[str]]] = {",
            *worlds,
            "}",
            '"""The interfaces that each world imports, without version."""',
            "",
        ]
    )


def modules(wit: Wit) -> dict[str, str]:
    """All modules, by file name."""
    numbers: dict[Named, int] = {}
    for interface in wit.interfaces:
        for one in interface.resources:
            numbers[Named(interface.package, interface.name, one.name)] = len(numbers) + 1
    found = {
        "__init__.py": doc(
            "Our WIT in Python: types, what hosts offer, what components export.\n\nGenerated by `make wit`; do not edit."
        )
        + "\n",
        "operations.py": operations_module(wit),
    }
    for interface in wit.interfaces:
        name = f"{module_of(interface.package, interface.name)}.py"
        if not interface.functions:
            found[name] = types_module(wit, interface)
        elif f"{interface.package}/{interface.name}" in wit.exported:
            found[name] = guest_module(wit, interface)
        else:
            found[name] = host_module(wit, interface, numbers)
    return found
