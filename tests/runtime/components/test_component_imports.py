import pytest

from runtime.components.imports import misfits
from runtime.sandbox.componentcheck import ComponentFacts

CORE = frozenset({"orlop:core/types", "orlop:core/storage"})
WORLDS = {
    "orlop:core/component": CORE,
    "orlop:worlds/with-process": CORE | {"orlop:ext-process/lifecycle"},
}
LIFECYCLE = "orlop:core/component-lifecycle"


def judged(
    *imports: str, exports: tuple[str, ...] = (f"{LIFECYCLE}@1.0.0",), world: str = "orlop:core/component"
) -> list[str]:
    facts = ComponentFacts(1, imports, exports, 1, 1, 1)
    return list(misfits(facts, world, WORLDS, {LIFECYCLE}, "1.0.0"))


def test_a_component_of_its_world_fits() -> None:
    assert judged("orlop:core/types@1.0.0", "orlop:core/storage@1.0.0") == []
    assert judged("orlop:ext-process/lifecycle@1.0.0", world="orlop:worlds/with-process") == []


def test_a_component_built_against_another_version_of_the_same_major_fits() -> None:
    assert judged("orlop:core/storage@1.2.3", exports=(f"{LIFECYCLE}@1.0.7",)) == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "orlop:ext-process/lifecycle@1.0.0",
            "imports orlop:ext-process/lifecycle@1.0.0, which this world does not include",
        ),
        ("acme:gpu/compute@1.0.0", "imports acme:gpu/compute@1.0.0, which no world includes"),
        ("orlop:core/storage@2.0.0", "imports orlop:core/storage@2.0.0, and orlop has orlop:core/storage@1.0.0"),
        ("orlop:core/storage", "imports orlop:core/storage, which no world includes"),
        ("now", "imports now, which no world includes"),
        ("bell\x07", r"imports bell\x07, which no world includes"),
        (
            "wasi:cli/environment@0.2.0",
            "imports wasi:cli/environment@0.2.0, which no world includes (componentize-py: --stub-wasi)",
        ),
    ],
)
def test_what_a_component_may_not_import(name: str, words: str) -> None:
    assert judged(name) == [words]


def test_many_imports_of_wasi_make_one_line() -> None:
    found = judged(*(f"wasi:io/i{number}@0.2.0" for number in range(25)))
    assert found == [
        "imports wasi:io/i0@0.2.0 and 24 more of wasi, which no world includes (componentize-py: --stub-wasi)"
    ]


def test_a_component_without_its_lifecycle_or_with_another_is_refused() -> None:
    assert judged(exports=()) == [f"does not export {LIFECYCLE}@1.0.0"]
    assert judged(exports=(f"{LIFECYCLE}@2.0.0",)) == [f"exports {LIFECYCLE}@2.0.0, and {LIFECYCLE}@1.0.0 is needed"]


def test_an_unknown_world_names_those_that_there_are() -> None:
    assert judged(world="component") == [
        "is for the world component, and the worlds are orlop:core/component, orlop:worlds/with-process"
    ]
