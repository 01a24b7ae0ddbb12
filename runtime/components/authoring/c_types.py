"""Types of the WIT in C, laid out as the canonical ABI wants them, and their way through core parameters.

C on wasm32 lays out structures as the canonical ABI does, so a record is a `struct` and a variant a tag with a `union`.
As parameters, values are flattened: a number is one core value, a string two, a variant its tag and the cases laid over
one another.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from runtime.components.wit import (
    Alias,
    Enum,
    Flags,
    Handle,
    ListOf,
    Named,
    OptionOf,
    Part,
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

__all__ = ["CTypes", "Core", "comment", "lower_name"]

Core = Literal["i32", "i64"]

_NUMBERS: Final = {
    **{f"u{bits}": f"uint{bits}_t" for bits in (8, 16, 32, 64)},
    **{f"s{bits}": f"int{bits}_t" for bits in (8, 16, 32, 64)},
    "bool": "bool",
}
_SMALL_NAMES: Final = 8
"""More flags need more than a byte."""


_TAKEN: Final = frozenset({"default", "double", "float", "register", "result", "signed", "stderr", "stdin", "stdout"})
"""Names that mean something else in C, in its library or in a header of ours."""


def lower_name(name: str) -> str:
    """A name of the WIT as one of C."""
    found = name.replace("-", "_").replace(".", "_")
    return f"{found}_" if found in _TAKEN else found


def comment(text: str) -> list[str]:
    """Lines of documentation."""
    return [f"/// {line}".rstrip() for line in text.split("\n")] if text else []


@dataclass(slots=True)
class CTypes:
    """The types that a header needs, each defined before it is used.

    Attributes:
        lines: the definitions so far.
    """

    wit: Wit
    lines: list[str] = field(default_factory=list)
    _done: set[str] = field(default_factory=set)

    def name(self, kind: Type | None) -> str:
        """A type's name in C, which is defined from here on."""
        match kind:
            case Primitive("string"):
                return "orlop_string_t"
            case Primitive(name) if name in _NUMBERS:
                return _NUMBERS[name]
            case ListOf(Primitive("u8")):
                return "orlop_bytes_t"
            case Handle(resource):
                return self.name(resource)
            case Named() if isinstance(shape := self.wit.definition(kind).shape, Alias) and not self._named_tuple(
                shape
            ):
                return self.name(shape.type)
            case None:
                raise WitError("nothing has no name in C")
            case _:
                name = f"orlop_{self._stem(kind)}_t"
                if name not in self._done:
                    self._done.add(name)
                    self.lines += ["", *self._definition(name, kind)]
                return name

    def core(self, kind: Type | None) -> list[Core]:  # noqa: PLR0911 - one for each kind
        """The core values that a type becomes as a parameter or result."""
        kind = None if kind is None else self.wit.resolved(kind)
        match kind:
            case None:
                return []
            case Primitive("string") | ListOf():
                return ["i32", "i32"]
            case Primitive(name):
                return ["i64" if name in {"u64", "s64"} else "i32"]
            case Handle():
                return ["i32"]
            case TupleOf(elements):
                return [one for element in elements for one in self.core(element)]
            case OptionOf() | ResultOf():
                return ["i32", *self._joined([part.type for part in self._cases(kind)])]
            case Named():
                return self._core_of_named(kind)

    def parts(self, kind: Type, place: str) -> list[str]:  # noqa: PLR0911 - one for each kind
        """The expressions that flatten the value at `place`, one for each core value."""
        kind = self.wit.resolved(kind)
        match kind:
            case Primitive("string") | ListOf():
                return [f"(int32_t){place}.data", f"(int32_t){place}.size"]
            case TupleOf(elements):
                inner = (self.parts(element, f"{place}.f{index}") for index, element in enumerate(elements))
                return [one for part in inner for one in part]
            case OptionOf() | ResultOf():
                return self._parts_of_cases(kind, place)
            case Named():
                shape = self.wit.definition(kind).shape
                if isinstance(shape, Record):
                    fields = [(part.type, f"{place}.{lower_name(part.name)}") for part in shape.fields if part.type]
                    return [one for inner, where in fields for one in self.parts(inner, where)]
                if isinstance(shape, Variant):
                    return self._parts_of_cases(kind, place)
                return [f"(int32_t){place}"]
            case _:
                return [f"(int{64 if self.core(kind) == ['i64'] else 32}_t){place}"]

    def assign(self, kind: Type, place: str, values: Iterator[str]) -> list[str]:  # noqa: PLR0911 - one for each kind
        """The statements that make the value at `place` of core values."""
        kind = self.wit.resolved(kind)
        match kind:
            case Primitive("string") | ListOf():
                data, size = next(values), next(values)
                return [f"{place}.data = (void *){data};", f"{place}.size = (size_t){size};"]
            case TupleOf(elements):
                return [
                    line
                    for index, element in enumerate(elements)
                    for line in self.assign(element, f"{place}.f{index}", values)
                ]
            case OptionOf() | ResultOf():
                return self._assign_cases(kind, place, values)
            case Named():
                shape = self.wit.definition(kind).shape
                if isinstance(shape, Record):
                    fields = [(part.type, f"{place}.{lower_name(part.name)}") for part in shape.fields if part.type]
                    return [line for inner, where in fields for line in self.assign(inner, where, values)]
                if isinstance(shape, Variant):
                    return self._assign_cases(kind, place, values)
                return [f"{place} = ({self.name(kind)}){next(values)};"]
            case _:
                return [f"{place} = ({self.name(kind)}){next(values)};"]

    def _named_tuple(self, shape: Alias) -> bool:
        return isinstance(self.wit.resolved(shape.type), TupleOf)

    def _stem(self, kind: Type | None) -> str:  # noqa: C901, PLR0911 - as above
        match kind:
            case None:
                return "unit"
            case Primitive(name):
                return name
            case Named(package, _, name) if not isinstance(shape := self.wit.definition(kind).shape, Alias) or (
                self._named_tuple(shape)
            ):
                return f"{package.partition(':')[2].removeprefix('ext-')}_{lower_name(name)}"
            case Named():
                return self._stem(self.wit.resolved(kind))
            case ListOf(Primitive("u8")):
                return "bytes"
            case ListOf(element):
                return f"list_{self._stem(element)}"
            case OptionOf(some):
                return f"option_{self._stem(some)}"
            case ResultOf(good, bad):
                return f"result_{self._stem(good)}_{self._stem(bad)}"
            case TupleOf(elements):
                return "tuple_" + "_".join(map(self._stem, elements))
            case Handle(resource):
                return self._stem(resource)

    def _definition(self, name: str, kind: Type) -> list[str]:
        match kind:
            case ListOf(element):
                return [f"typedef struct {{ const {self.name(element)} *data; size_t size; }} {name};"]
            case OptionOf(some):
                return [f"typedef struct {{ bool is_some; {self.name(some)} some; }} {name};"]
            case ResultOf(good, bad):
                parts = "".join(f"{self.name(part)} {word}; " for part, word in ((good, "ok"), (bad, "err")) if part)
                return [f"typedef struct {{ bool is_err; union {{ {parts}}} as; }} {name};"]
            case TupleOf(elements):
                return self._tuple(name, elements)
            case Named():
                return self._named(name, kind)
            case _:
                raise WitError(f"{kind} has no layout in C")

    def _tuple(self, name: str, elements: Sequence[Type]) -> list[str]:
        fields = " ".join(f"{self.name(element)} f{index};" for index, element in enumerate(elements))
        return [f"typedef struct {{ {fields} }} {name};"]

    def _named(self, name: str, kind: Named) -> list[str]:
        found = self.wit.definition(kind)
        docs, capital = comment(found.docs), name.removesuffix("_t").upper()
        match found.shape:
            case ResourceType():
                return [*docs, f"typedef int32_t {name};"]
            case Alias(inner):
                resolved = self.wit.resolved(inner)
                return [*docs, *self._tuple(name, resolved.elements if isinstance(resolved, TupleOf) else ())]
            case Enum(names):
                rows = [f"#define {capital}_{lower_name(one).upper()} {index}" for index, one in enumerate(names)]
                return [*docs, f"typedef uint8_t {name};", *rows]
            case Flags(names):
                if len(names) > _SMALL_NAMES:
                    raise WitError("flags of more than a byte", where=kind.name)
                rows = [f"#define {capital}_{lower_name(one).upper()} {1 << index}" for index, one in enumerate(names)]
                return [*docs, f"typedef uint8_t {name};", *rows]
            case Record(fields):
                rows = [
                    line
                    for part in fields
                    if part.type
                    for line in (
                        *(f"  {one}" for one in comment(part.docs)),
                        f"  {self.name(part.type)} {lower_name(part.name)};",
                    )
                ]
                return [*docs, "typedef struct {", *rows, f"}} {name};"]
            case Variant(cases):
                rows = [f"    {self.name(case.type)} {lower_name(case.name)};" for case in cases if case.type]
                tags = [
                    f"#define {capital}_{lower_name(case.name).upper()} {index}" for index, case in enumerate(cases)
                ]
                return [
                    *docs,
                    "typedef struct {",
                    "  uint8_t tag;",
                    "  union {",
                    *rows,
                    "  } as;",
                    f"}} {name};",
                    *tags,
                ]

    def _core_of_named(self, kind: Named) -> list[Core]:
        match self.wit.definition(kind).shape:
            case Record(fields):
                return [one for part in fields for one in self.core(part.type)]
            case Variant(cases):
                return ["i32", *self._joined([case.type for case in cases])]
            case _:
                return ["i32"]

    def _joined(self, kinds: Sequence[Type | None]) -> list[Core]:
        flat = [self.core(kind) for kind in kinds]
        size = max(map(len, flat))
        return ["i64" if any(len(one) > at and one[at] == "i64" for one in flat) else "i32" for at in range(size)]

    def _cases(self, kind: Type) -> list[Part]:
        """The cases of anything that has some, each with its place below the value's."""
        match kind:
            case OptionOf(some):
                return [Part("", None), Part(".some", some)]
            case ResultOf(good, bad):
                return [Part(".as.ok", good), Part(".as.err", bad)]
            case Named() if isinstance(shape := self.wit.definition(kind).shape, Variant):
                return [Part(f".as.{lower_name(case.name)}", case.type) for case in shape.cases]
            case _:
                raise WitError(f"{kind} has no cases")

    @staticmethod
    def _tag(kind: Type) -> str:
        return {OptionOf: "is_some", ResultOf: "is_err"}.get(type(kind), "tag")

    def _parts_of_cases(self, kind: Type, place: str) -> list[str]:
        cases = self._cases(kind)
        tag = f"{place}.{self._tag(kind)}"
        joined = self._joined([case.type for case in cases])
        found = [self.parts(case.type, place + case.name) if case.type else [] for case in cases]
        return [f"(int32_t){tag}", *(self._choice(tag, found, at, core) for at, core in enumerate(joined))]

    @staticmethod
    def _choice(tag: str, found: Sequence[Sequence[str]], at: int, core: Core) -> str:
        """One core value of a variant: that of the case which it is."""
        cast = "(int64_t)(uint64_t)" if core == "i64" else ""
        rest = "0"
        for index in reversed([index for index, parts in enumerate(found) if len(parts) > at]):
            part = found[index][at]
            # A number of 32 bits goes into one of 64 without its sign.
            widened = (
                f"(int64_t)(uint32_t){part}" if core == "i64" and part.startswith("(int32_t)") else f"{cast}{part}"
            )
            rest = f"({tag} == {index} ? {widened} : {rest})"
        return rest

    def _assign_cases(self, kind: Type, place: str, values: Iterator[str]) -> list[str]:
        cases = self._cases(kind)
        tag = next(values)
        given = [next(values) for _ in self._joined([case.type for case in cases])]
        lines = [f"{place}.{self._tag(kind)} = (uint8_t){tag};"]
        for index, case in enumerate(cases):
            if case.type:
                inner = " ".join(self.assign(case.type, place + case.name, iter(given)))
                lines.append(f"if ({tag} == {index}) {{ {inner} }}")
        return lines
