"""The reference of Component.toml says what the code does: keys, defaults, error lines, examples."""

import re
from pathlib import Path

import pytest

from runtime.components.manifest.against import check_hash, check_imports, check_metadata
from runtime.components.manifest.faults import ManifestError
from runtime.components.manifest.model import Manifest
from runtime.components.manifest.read import read_manifest
from runtime.components.manifest.schema import KEYS, documented
from tests.runtime.components.manifest.writing import HEAD, MIRROR, manifest, refusal

DOCS = Path(__file__).resolve().parents[4] / "docs"
PAGE = DOCS / "reference" / "component-toml.md"
BLOCK = re.compile(r"^```toml\n(.*?)^```", re.MULTILINE | re.DOTALL)
MIRROR_FILE = read_manifest(MIRROR.encode())


def tables() -> dict[str, str]:
    """The tables of keys, by the first part of the path; keys at the top and whole tables are in that of the top."""
    rows: dict[str, list[str]] = {}
    for path, key in documented():
        top, _, rest = path.partition(".")
        name = top.removesuffix("[]") if rest else ""
        if key.keys and not key.listed and rest:
            continue  # a table inside another: its keys say all
        shown = rest if rest and name != "permissions" else path
        rows.setdefault(name, []).append(f"| `{shown}` | {key.type} | {key.default} | {key.rule} |")
    head = "| key | type | default | rule |\n| --- | --- | --- | --- |\n"
    return {name: head + "\n".join(lines) + "\n" for name, lines in rows.items()}


def said(refused: object) -> str:
    """The line of a check that refuses."""
    assert callable(refused)
    with pytest.raises(ManifestError) as caught:
        refused()
    (line,) = caught.value.lines
    return str(line)


def produced() -> list[str]:
    texts = [
        HEAD + 'x = "a\\q"\n',
        HEAD + "[permissions.filesystem]\nraed = []\n",
        HEAD.replace('"1.0.0"', "1"),
        HEAD.replace('file = "word-count.wasm"\n', ""),
        HEAD + '[limits]\nmemory = "8GiB"\n',
        HEAD + '[permissions.filesystem]\nread = ["/data/ok", "/data/../x"]\n',
        HEAD.replace("[component]", 'name = "b"\n[component]'),
        HEAD + "[capabilities]\n",
    ]
    lines = [line for text in texts for line in refusal(text)]
    imports = ["imports orlop:ext-process/lifecycle@1.0.0, which this world does not include"]
    return [
        *lines,
        said(lambda: check_hash(MIRROR_FILE, b"\0asm")),
        said(lambda: check_imports(MIRROR_FILE, imports)),
        said(lambda: check_metadata(MIRROR_FILE, "mirror", "2.0.0")),
        refusal(HEAD + "".join(f"k{number} = 1\n" for number in range(27)))[-1],
    ]


@pytest.mark.parametrize("name", sorted({path.partition(".")[0].partition("[")[0] for path, _ in documented()} | {""}))
def test_the_page_has_every_key_with_type_default_and_bounds(name: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert name not in tables() or tables()[name] in page


def test_the_page_has_no_key_that_does_not_exist() -> None:
    rows = re.findall(r"^\| `([a-z0-9_.\[\]]+)` \|.*\|.*\|.*\|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted(
        row.split("`")[1] for text in tables().values() for row in text.split("\n") if row.startswith("| `")
    )


def test_every_error_line_of_the_page_is_produced() -> None:
    block = re.search(r"^```\n(Component\.toml:.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert block is not None
    assert block[1].rstrip("\n").split("\n") == produced()


def test_a_default_that_is_written_out_changes_nothing() -> None:
    """Values in the table are TOML, but for those that say `none` or `empty`."""
    groups: dict[str, list[str]] = {}
    for path, key in documented():
        table, _, name = path.rpartition(".")
        if (
            not key.keys
            and "[]" not in path
            and key.default not in {"required", "none", "empty"}
            and " " not in key.default
        ):
            groups.setdefault(table, []).append(f"{name} = {key.default.strip('`')}\n")
    assert {"limits", "lifecycle", "supervision", "messaging", "permissions.filesystem"} <= set(groups)
    text = HEAD.replace(
        "[component]\n", "".join(groups.pop("package")) + "[component]\n" + "".join(groups.pop("component"))
    )
    text = "".join(groups.pop("", [])) + text
    whole = read_manifest((text + "".join(f"[{name}]\n{''.join(lines)}" for name, lines in groups.items())).encode())
    assert same(whole) == same(manifest())


def same(read: Manifest) -> tuple[object, ...]:
    """All that a manifest says, without how it was written."""
    return (
        read.package, read.component, read.config, read.mounts, list(read.permissions), read.environment, read.reasons,
        read.limits, read.lifecycle, read.supervision, read.messaging, read.signature, read.metadata,
    )  # fmt: skip


def test_every_manifest_in_the_documentation_is_read() -> None:
    found = 0
    for page in sorted(DOCS.rglob("*.md")):
        for text in BLOCK.findall(page.read_text(encoding="utf-8")):
            if "schema = 1" in text and "[component]" in text:
                read_manifest(text.encode(), str(page))
                found += 1
    assert found >= 2


def test_every_part_of_the_schema_is_a_key_of_the_manifest() -> None:
    assert set(KEYS) - {"schema"} <= set(Manifest.__slots__)
