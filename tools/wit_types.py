"""Writes the types of an interface in Python, with their conversions."""

from collections.abc import Iterable, Mapping

from runtime.components.wit import (
    Alias,
    Definition,
    Enum,
    Flags,
    Interface,
    Record,
    TupleOf,
    Variant,
    Wit,
    WitError,
)
from tools.wit_writer import Writer, camel, doc, first_low, snake


def case_names(interface: Interface) -> dict[tuple[str, str], str]:
    """Classes of variants' cases. With several error variants in a module, their cases carry the variant's stem."""
    variants = [one for one in interface.definitions if isinstance(one.shape, Variant)]
    stems = sum(one.name.endswith("-error") for one in variants) > 1
    found: dict[tuple[str, str], str] = {}
    for one in variants:
        assert isinstance(one.shape, Variant)
        stem = camel(one.name.removesuffix("-error")) if stems and one.name.endswith("-error") else ""
        found |= {(one.name, case.name): stem + camel(case.name) for case in one.shape.cases}
    taken = [camel(one.name) for one in interface.definitions] + list(found.values())
    if twice := {name for name in taken if taken.count(name) > 1}:
        raise WitError(f"names of classes appear twice: {', '.join(sorted(twice))}", where=interface.id)
    return found


def write_definition(out: Writer, one: Definition, cases: Mapping[tuple[str, str], str]) -> None:
    """A type and its conversions."""
    name, low = camel(one.name), snake(one.name)
    lift = f"def lift_{low}(value: {out.use('runtime.components.lift', 'Value')}) -> {name}:"
    lower = f"def lower_{low}(at: int, value: {name}) -> None:"
    match one.shape:
        case Alias(kind):
            out.add("", f"{name}: {out.use('typing', 'TypeAlias')} = {out.annotation(kind)}", doc(one.docs))
            if isinstance(kind, TupleOf):
                write_tuple(out, lift, lower, kind)
        case Enum(names) | Flags(names):
            write_names(out, one, names, lift, lower)
        case Record(fields):
            out.use("dataclasses", "dataclass")
            noted = [part for part in fields if part.docs]
            notes = "".join(f"\n    {snake(part.name)}: {part.docs.replace(chr(10), ' ')}" for part in noted)
            out.add("", "", "@dataclass(frozen=True, slots=True)", f"class {name}:")
            out.add(doc(one.docs + (f"\n\nAttributes:{notes}" if noted else ""), "    "), "")
            for part in fields:
                assert part.type is not None
                out.add(f"    {snake(part.name)}: {out.annotation(part.type)}")
            names_of = f"_{low.upper()}"
            out.use("typing", "Final")
            out.add("", "", f"{names_of}: Final = ({', '.join(f'b{chr(34)}{part.name}{chr(34)}' for part in fields)},)")
            reader, writer = (
                out.use("runtime.components.lift", "lift_record"),
                out.use("runtime.components.lower", "lower_record"),
            )
            out.add("", "", lift, doc("Reads one.", "    "), f"    fields = {reader}(value, {len(fields)})")
            out.add(f"    return {name}(")
            out.add(
                *(f"        {out.lift(part.type, f'fields[{index}]')}," for index, part in enumerate(fields)), "    )"
            )
            out.add("", "", lower, doc("Writes one.", "    "), f"    first = {writer}(at, {names_of})")
            for index, part in enumerate(fields):
                out.add(
                    *out.statement(
                        part.type, f"first + {48 * index}" if index else "first", f"value.{snake(part.name)}"
                    )
                )
        case Variant():
            write_variant(out, one, cases, lift, lower)


def write_tuple(out: Writer, lift: str, lower: str, kind: TupleOf) -> None:
    """Conversions of a tuple that has a name."""
    count = len(kind.elements)
    reader, writer = (
        out.use("runtime.components.lift", "lift_tuple"),
        out.use("runtime.components.lower", "lower_tuple"),
    )
    out.add("", "", lift, doc("Reads one.", "    "), f"    parts = {reader}(value, {count})")
    out.add(f"    return {', '.join(out.lift(part, f'parts[{index}]') for index, part in enumerate(kind.elements))}")
    out.add("", "", lower, doc("Writes one.", "    "), f"    first = {writer}(at, {count})")
    for index, part in enumerate(kind.elements):
        out.add(f"    {out.lower(part, f'first + {32 * index}' if index else 'first', f'value[{index}]')}")


def write_names(out: Writer, one: Definition, names: Iterable[str], lift: str, lower: str) -> None:
    """An enum or flags."""
    name, table = camel(one.name), f"_{snake(one.name).upper()}"
    listed = ", ".join(f'"{each}"' for each in names)
    literal = f"{out.use('typing', 'Literal')}[{listed}]"
    out.use("typing", "TypeAlias", "Final")
    each = name
    if isinstance(one.shape, Flags):
        each = f"{name}Flag"
        out.add("", f"{each}: TypeAlias = {literal}", f"{name}: TypeAlias = frozenset[{each}]", doc(one.docs))
    else:
        out.add("", f"{name}: TypeAlias = {literal}", doc(one.docs))
    names_of = out.use("runtime.components.values", "Names")
    out.add(f"{table}: Final = {names_of}[{each}].of({listed})")
    kind = "flags" if isinstance(one.shape, Flags) else "enum"
    out.add(
        "",
        "",
        lift,
        doc("Reads one.", "    "),
        f"    return {out.use('runtime.components.lift', f'lift_{kind}')}(value, {table})",
    )
    out.add(
        "",
        "",
        lower,
        doc("Writes one.", "    "),
        f"    {out.use('runtime.components.lower', f'lower_{kind}')}(at, value, {table})",
    )


def write_variant(out: Writer, one: Definition, cases: Mapping[tuple[str, str], str], lift: str, lower: str) -> None:
    """A variant: a class for each case."""
    assert isinstance(one.shape, Variant)
    name, payload = camel(one.name), "reason" if one.name.endswith("-error") else "value"
    out.use("dataclasses", "dataclass")
    out.use("typing", "ClassVar", "Final", "TypeAlias")
    for case in one.shape.cases:
        out.add("", "", "@dataclass(frozen=True, slots=True)", f"class {cases[one.name, case.name]}:")
        out.add(doc(case.docs or f"The case `{case.name}` of {one.name}.", "    "), "")
        out.add(f'    case: ClassVar[str] = "{case.name}"')
        if case.type is not None:
            out.add(f"    {payload}: {out.annotation(case.type)}")
    out.add(
        "",
        "",
        f"{name}: TypeAlias = {' | '.join(cases[one.name, case.name] for case in one.shape.cases)}",
        doc(one.docs),
    )
    table = f"_{snake(one.name).upper()}"
    readers = []
    for case in one.shape.cases:
        inner = "" if case.type is None else out.lift(case.type, "value")
        readers.append(
            f'b"{case.name}": lambda {"_value" if case.type is None else "value"}: {cases[one.name, case.name]}({inner})'
        )
    out.use("collections.abc", "Callable", "Mapping")
    out.add(f"{table}: Final[Mapping[bytes, Callable[[Value], {name}]]] = {{{', '.join(readers)}}}")
    out.add(
        "",
        "",
        lift,
        doc("Reads one.", "    "),
        f"    return {out.use('runtime.components.lift', 'lift_variant')}(value, {table})",
    )
    out.add("", "", lower, doc("Writes one.", "    "))
    writer = out.use("runtime.components.lower", "lower_variant")
    if len({case.type for case in one.shape.cases}) == 1 and (kind := one.shape.cases[0].type) is not None:
        out.add(f"    {out.lower(kind, f'{writer}(at, value.case.encode(), payload=True)', f'value.{payload}')}")
        return
    for index, case in enumerate(one.shape.cases):
        test = (
            "else"
            if index == len(one.shape.cases) - 1
            else f"{'el' if index else ''}if isinstance(value, {cases[one.name, case.name]})"
        )
        place = f'{writer}(at, b"{case.name}", payload={case.type is not None})'
        out.add(
            f"    {test}:", f"        {place if case.type is None else out.lower(case.type, place, f'value.{payload}')}"
        )


def types_module(wit: Wit, interface: Interface) -> str:
    """The module of an interface that defines types and no functions."""
    out = Writer(wit, interface)
    cases = case_names(interface)
    for one in interface.definitions:
        write_definition(out, one, cases)
    return out.text(f"Types of `{interface.package}/{interface.name}`: {first_low(interface.docs)}")
