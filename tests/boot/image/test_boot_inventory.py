"""What went into an image is read as it was written, and becomes a bill of materials that says it all once."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boot.errors import BootRefusedError
from boot.image.inventory import Inventory, Package, Wheel
from boot.image.sbom import sbom
from tests.boot.image.small_releases import INVENTORY
from tests.boot.trust.signed import NOW_MS

NAMES = st.from_regex("[a-z][a-z0-9.+-]{0,20}", fullmatch=True)
VERSIONS = st.from_regex("[0-9][A-Za-z0-9.+~:-]{0,20}", fullmatch=True)
HASHES = st.from_regex("[0-9a-f]{64}", fullmatch=True)


@given(
    st.lists(st.builds(Package, NAMES, VERSIONS, st.sampled_from(["amd64", "arm64", "all"]), HASHES), max_size=5),
    st.lists(st.builds(Wheel, NAMES, VERSIONS, HASHES), max_size=5),
    st.lists(st.tuples(NAMES, VERSIONS), max_size=5),
)
def test_it_is_read_as_it_was_written_in_whatever_order(
    packages: list[Package], wheels: list[Wheel], tools: list[tuple[str, str]]
) -> None:
    written = Inventory(tuple(packages), tuple(wheels), tuple(tools))
    read = Inventory.parse(written.document())
    assert (read.packages, read.wheels, read.tools) == (
        tuple(sorted(packages)),
        tuple(sorted(wheels)),
        tuple(sorted(tools)),
    )
    assert read.document() == written.document()


@pytest.mark.parametrize(
    "raw",
    [b"", b"[]", b"{}", b'{"packages":[{}],"tools":[],"wheels":[]}', b'{"packages":1,"tools":[],"wheels":[]}'],
)
def test_anything_else_is_refused(raw: bytes) -> None:
    with pytest.raises(BootRefusedError):
        Inventory.parse(raw)


def test_the_bill_names_each_part_once_with_version_hash_and_package_url() -> None:
    bill = json.loads(sbom("image", "1", [INVENTORY, INVENTORY], NOW_MS))
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    assert [(one["name"], one["version"], one["purl"]) for one in bill["components"]] == [
        ("libc6", "2.36-9+deb12u14", "pkg:deb/debian/libc6@2.36-9%2Bdeb12u14?arch=amd64&distro=bookworm"),
        ("netbase", "1:6.4", "pkg:deb/debian/netbase@1%3A6.4?arch=all&distro=bookworm"),
        ("Some_Wheel", "1.2.3+local", "pkg:pypi/some-wheel@1.2.3%2Blocal"),
    ]
    assert all(one["hashes"][0]["alg"] == "SHA-256" for one in bill["components"])
    assert bill["metadata"]["tools"]["components"] == [{"type": "application", "name": "zstd", "version": "1.5.4"}]


def test_the_bill_is_the_same_bytes_for_the_same_content_and_has_another_number_for_another() -> None:
    assert sbom("image", "1", [INVENTORY], NOW_MS) == sbom("image", "1", [INVENTORY], NOW_MS)
    one, other = (json.loads(sbom("image", "1", [each], NOW_MS)) for each in (INVENTORY, Inventory()))
    assert one["serialNumber"] != other["serialNumber"]
