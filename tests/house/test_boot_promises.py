"""What booting promises, item by item, and the tests of each: by the mark in their names, or named here.

`test_p12_…` holds what the original claimed and never did, `test_s7_…` a finding about it, `test_11_3_…` and
`test_11_4_…` the acceptance list. One test may hold several. None of it boots a machine: `make test-boot` does.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.qemu.matrix import PAGE, journeys, rows_of

TESTS = Path(__file__).parents[1]
MARKS = {
    *(f"p{number}" for number in range(6, 17)),
    *(f"s{number}" for number in (1, 2, 3, 4, 7, 8, 9)),
    *("11_3", "11_4"),
}
MARK = re.compile(r"(p\d+|s\d+|11_\d)_")
OF_BOOTING = (
    "boot/**/test_*.py",
    "qemu/test_*.py",
    "house/test_boot_promises.py",
    "cli/test_boot_*.py",
    "cli/test_jobs_on_peers.py",
    "runtime/jobs/test_promises.py",
)

TEST_CASES = {
    "a menu of three entries that waits ten seconds": (
        "boot/image/test_boot_images.py::test_11_3_the_menu_starts_the_signed_kernel_in_three_modes",
        "cli/test_boot_image_words.py::test_11_3_a_menu_waits_ten_seconds_unless_it_is_told_otherwise",
    ),
    "the three modes reach the second stage": (
        "qemu/test_boot_modes_live.py::test_11_3_every_mode_reaches_the_second_stage",
    ),
    "a lease, kexec, and a kernel that lets it be used": (
        "qemu/test_boot_chain.py::test_p8_11_3_what_was_fetched_was_verified_and_loaded_in_this_order",
        "boot/stage1/test_stage1_payload.py::test_11_3_a_kernel_that_starts_no_other_says_so_first",
    ),
    "more than 200 MB are free, or it is said": (
        "boot/stage1/test_stage1_payload.py::test_11_3_memory_is_refused_before_anything_comes",
        "qemu/test_boot_refusals.py::test_11_3_a_machine_with_too_little_memory_says_so_before_it_fetches",
    ),
    "the partitions": (
        (
            "boot/image/test_gpt.py"
            "::test_11_3_partitions_follow_one_another_on_whole_mebibytes_and_leave_room_for_the_table"
        ),
        ("qemu/test_boot_firmware.py::test_p13_11_3_a_disc_image_starts_by_its_default_entry_and_comes_to_its_receipt"),
    ),
    "from the LAN": ("qemu/test_boot_modes_live.py::test_11_3_local_mode_finds_a_server_by_mdns_and_boots",),
    "from the WAN, and fetched": (
        "qemu/test_boot_chain.py::test_p8_11_3_what_was_fetched_was_verified_and_loaded_in_this_order",
    ),
    "tampered with": ("qemu/test_boot_refusals.py::test_11_3_a_tampered_manifest_is_refused",),
    "several providers": (
        (
            "qemu/test_boot_refusals.py"
            "::test_11_3_of_two_servers_that_disagree_the_one_that_lies_is_left_and_the_other_is_booted"
        ),
    ),
    "self-hosting": ("qemu/test_boot_chain.py::test_11_3_the_node_that_serves_sees_the_machine_fetch_and_report",),
    "across architectures": (
        "qemu/test_boot_refusals.py::test_11_3_another_architecture_is_refused",
        "qemu/test_boot_arm64.py::test_arm64_comes_to_its_verified_second_stage_by_kexec_load",
    ),
}
"""Section 11.3 of the acceptance list; its shell is the second stage here."""

ADDED = {
    "a non-zero exit code is kept": (
        "runtime/jobs/test_promises.py::test_11_4_a_non_zero_exit_code_is_kept_in_the_receipt",
    ),
    "the bytes of stdout are in the commitment": (
        "runtime/jobs/test_promises.py::test_11_4_the_bytes_of_stdout_are_in_the_commitment",
    ),
    "memory, time and output caps trip": (
        "runtime/jobs/test_promises.py::test_11_4_each_cap_trips_and_stands_in_the_receipt",
    ),
    "1,000 manifests out of 1,000": (
        (
            "boot/trust/test_boot_verifier.py"
            "::test_11_4_a_manifest_with_three_artifacts_verifies_a_thousand_times_out_of_a_thousand"
        ),
    ),
    "a forged outer body": (
        "runtime/jobs/test_promises.py::test_11_4_a_forged_outer_body_is_refused",
        "boot/trust/test_boot_verifier.py::test_s3_p9_11_4_only_what_is_signed_is_used",
    ),
    "Private mode leaves the disk as it was": (
        "qemu/test_boot_modes_live.py::test_p15_11_4_private_mode_leaves_every_disc_as_it_was",
    ),
    "Local mode sends nothing beyond the link": (
        "qemu/test_boot_modes_live.py::test_p14_11_4_local_mode_sends_nothing_beyond_the_link_in_both_stages",
    ),
    "a real remote job": (
        "cli/test_jobs_on_peers.py::test_11_1_11_4_the_receipt_is_the_workers_and_verified_step_by_step",
    ),
}
"""Section 11.4."""

BAD_INPUT = {
    "a missing kernel or initramfs": (
        "cli/test_boot_words.py::test_bad_input_is_one_line_and_writes_nothing",
        ("boot/trust/test_boot_verifier.py::test_what_is_not_as_it_was_signed_or_not_for_this_machine_is_refused"),
        "boot/serve/test_boot_server.py::test_a_release_that_is_not_as_it_was_signed_is_not_served_at_all",
    ),
    "empty and huge artifacts": (
        "cli/test_boot_words.py::test_bad_input_is_one_line_and_writes_nothing",
        (
            "boot/image/test_boot_images.py"
            "::test_a_release_that_is_too_large_for_its_partition_is_refused_and_leaves_nothing"
        ),
        (
            "boot/stage1/test_stage1_payload.py"
            "::test_a_release_without_a_root_filesystem_or_with_too_large_a_one_is_refused"
        ),
    ),
    "a folder or a link in place of a file": (
        "cli/test_boot_words.py::test_bad_input_is_one_line_and_writes_nothing",
        "boot/serve/test_boot_server.py::test_s8_links_are_not_followed",
        "boot/image/test_boot_write.py::test_links_and_folders_are_refused",
    ),
    "a key that is unreadable, open to others, or of another kind": (
        "cli/test_boot_words.py::test_bad_input_is_one_line_and_writes_nothing",
        "cli/test_boot_image_words.py::test_a_key_that_others_may_have_read_signs_nothing",
        ("boot/image/test_secure_boot_keys.py::test_what_does_not_belong_together_or_is_something_else_is_refused"),
    ),
    "a port in use": ("cli/test_boot_serving_words.py::test_a_port_in_use_is_exit_5",),
    "no space for the image": (
        "boot/image/test_boot_build.py::test_a_disk_without_space_is_seen_before_anything_is_done",
        "boot/image/test_boot_build.py::test_a_disk_that_becomes_full_leaves_nothing_half_written",
        "boot/image/test_boot_images.py::test_no_space_while_images_are_written_is_one_line_and_leaves_nothing",
    ),
    "a device that is mounted, too small or the system's": (
        "boot/image/test_boot_target.py::test_a_disk_is_refused_with_one_line_when_it_is",
        "boot/image/test_boot_write_devices.py::test_a_disk_that_is_mounted_is_kept",
        "boot/image/test_boot_write_devices.py::test_a_disk_that_is_too_small_is_kept",
    ),
    "a kernel of another architecture": (
        "boot/image/test_boot_source.py::test_a_kernel_for_another_machine_is_refused",
        "boot/image/test_boot_kernel.py::test_a_kernel_for_another_machine_is_refused",
    ),
    "a kernel without kexec": (
        "boot/image/test_boot_kernel.py::test_a_kernel_that_cannot_start_another_is_refused",
        "boot/stage1/test_stage1_payload.py::test_11_3_a_kernel_that_starts_no_other_says_so_first",
    ),
    "an unknown mode or word": (
        "boot/stage1/test_stage1_cmdline.py::test_a_machine_refuses_rather_than_guesses",
        "qemu/test_boot_refusals.py::test_an_unknown_mode_refuses_to_boot",
        "qemu/test_boot_refusals.py::test_an_unknown_word_on_the_command_line_refuses_to_boot",
    ),
    "no network": ("qemu/test_boot_refusals.py::test_a_machine_without_network_could_not_check",),
    "no DHCP": ("qemu/test_boot_refusals.py::test_a_link_without_dhcp_is_unavailable",),
    "DHCP that offers nonsense": (
        "boot/stage1/test_stage1_network.py::test_nonsense_is_refused_in_one_line_that_names_it",
        "qemu/test_boot_refusals.py::test_a_lease_that_makes_no_sense_is_not_taken",
    ),
    "a clock at 1970": (
        "boot/trust/test_boot_verifier.py::test_a_clock_before_the_build_is_told_and_refuses_nothing",
        "qemu/test_boot_refusals.py::test_a_clock_at_1970_is_told_and_refuses_nothing",
    ),
    "two providers that disagree": (
        ("boot/fetch/test_fetch_release.py::test_a_server_that_lies_is_left_for_the_next_and_not_asked_again"),
        (
            "qemu/test_boot_refusals.py"
            "::test_11_3_of_two_servers_that_disagree_the_one_that_lies_is_left_and_the_other_is_booted"
        ),
    ),
}
LISTS = {**TEST_CASES, **ADDED, **BAD_INPUT}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def names(path: Path) -> Iterator[str]:
    """The tests of a file."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node.name


def marks(name: str) -> Iterator[str]:
    """What a test's name begins with."""
    rest = name.removeprefix("test_")
    while mark := MARK.match(rest):
        yield mark[1]
        rest = rest[mark.end() :]


def marked() -> dict[str, set[str]]:
    """The tests of each mark."""
    found: dict[str, set[str]] = defaultdict(set)
    for pattern in OF_BOOTING:
        for path in TESTS.glob(pattern):
            for name in names(path):
                for mark in marks(name):
                    found[mark].add(f"{path.relative_to(TESTS)}::{name}")
    return found


def test_marks_of_booting_are_read_from_names() -> None:
    assert list(marks("test_p14_11_4_local_mode")) == ["p14", "11_4"]
    assert list(marks("test_s3_p9_11_4_only")) == ["s3", "p9", "11_4"]
    assert list(marks("test_p_is_a_letter")) == []


def test_every_promise_of_booting_has_tests_of_its_name() -> None:
    assert marked().keys() >= MARKS


@pytest.mark.parametrize("what", LISTS)
def test_every_item_of_the_lists_of_booting_has_its_tests(what: str) -> None:
    for test in LISTS[what]:
        path, name = test.split("::")
        assert name in names(TESTS / path), test


def test_p16_the_page_of_booted_machines_has_each_journey_and_no_other() -> None:
    """A run of `make test-boot` writes it; of one that was never made, `python -m tests.qemu.matrix` says so."""
    rows = rows_of(PAGE.read_text(encoding="utf-8"))
    assert len(rows) > 20
    assert rows.keys() == journeys().keys(), "python -m tests.qemu.matrix adds and takes away rows"
