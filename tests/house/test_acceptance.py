"""The acceptance checklist of rooms and agents: each group has its tests, and the page leads to them."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "explanation" / "better-than-the-original.md"
HEADING = "## The acceptance checklist"
LINK = re.compile(r"\]\(\.\./\.\./(tests/[\w/]+\.py)\)")

AGENTS = "tests/runtime/agents"
ROOMS = "tests/runtime/rooms"
CONSOLE = "tests/console"
UI = "tests/console/ui"
TERMINAL = "tests/terminal"

GROUPS: dict[str, dict[str, tuple[str, ...]]] = {
    "Manifest": {
        f"{AGENTS}/test_manifest.py": (
            "test_a_good_one_passes_and_keeps_its_unknown_keys",
            "test_it_must_be_an_object",
            "test_an_array_fails_on_its_name",
            "test_each_text_must_be_a_string",
            "test_the_first_check_that_fails_decides",
            "test_permissions_must_be_an_array",
            "test_an_unknown_permission_is_named",
            "test_empty_and_duplicate_permissions_are_allowed",
        ),
        "tests/cli/test_agents_words.py": (
            "test_a_bad_manifest_is_one_line",
            "test_nothing_is_kept_of_what_was_refused",
        ),
    },
    "Hash": {
        f"{AGENTS}/test_binary.py": (
            "test_the_hash_is_64_lower_case_digits_stable_and_of_the_content",
            "test_an_upper_case_hash_is_another_one",
        ),
    },
    "Binary": {
        f"{AGENTS}/test_binary.py": (
            "test_1_too_large_in_both_wordings",
            "test_exactly_512000_bytes_are_not_too_large",
            "test_2_invalid_in_both_wordings",
            "test_3_hash_mismatch_in_both_wordings",
            "test_the_hash_is_checked_before_the_exports",
            "test_4_a_missing_export_is_named",
        ),
    },
    "Module store": {
        f"{AGENTS}/test_state_and_modules.py": (
            "test_uploads_come_back_with_id_and_flags",
            "test_unknown_ones",
            "test_the_active_flag_persists",
            "test_five_modules_in_order_and_by_room",
        ),
        f"{AGENTS}/test_executor.py": ("test_w10_deletion_takes_everything_with_it",),
    },
    "State cryptography": {
        f"{AGENTS}/test_state_and_modules.py": (
            "test_a_state_comes_back",
            "test_the_same_state_is_sealed_differently_each_time",
            "test_w10_the_seal_binds_room_agent_hash_and_version",
            "test_another_vault_does_not_open_it",
            "test_what_was_tampered_with_does_not_open",
            "test_more_than_one_mebibyte_is_too_large",
            "test_w10_a_state_in_the_originals_form_is_read",
        ),
        "tests/runtime/test_vault.py": ("test_subkeys_are_stable_and_apart", "test_keys_of_rooms_are_apart"),
    },
    "State store": {
        f"{AGENTS}/test_state_and_modules.py": (
            "test_a_state_comes_back",
            "test_none_is_none",
            "test_a_newer_one_takes_the_place_of_the_older",
            "test_deleting_leaves_the_others",
        ),
        f"{CONSOLE}/test_burning.py": ("test_other_rooms_are_as_they_were",),
        f"{AGENTS}/test_versions.py": ("test_w10_another_module_does_not_see_the_state",),
    },
    "Imports": {
        f"{AGENTS}/test_imports.py": (
            "test_there_are_exactly_these_twelve",
            "test_tasks_and_members_are_read_as_json",
            "test_a_buffer_for_tasks_or_members_holds_all_of_them_or_nothing",
            "test_tasks_and_members_are_denied_without_their_permission",
            "test_now_is_the_time_of_the_call",
            "test_a_valid_event_goes_to_the_room_without_the_actor_and_time_that_it_claims",
            "test_an_event_with_something_wrong_is_dropped_with_its_reason",
            "test_an_event_is_denied_without_its_permission",
            "test_the_state_that_is_kept_is_read",
            "test_where_no_state_is_kept_none_is_read",
            "test_a_state_that_is_written_is_the_new_one",
            "test_without_its_permission_a_state_is_neither_read_nor_written",
            "test_a_log_line_needs_no_permission_and_changes_nothing",
            "test_an_event_is_read_in_its_call",
            "test_outside_of_an_event_there_is_none",
            "test_an_event_that_does_not_fit_is_not_written",
            "test_out_of_bounds_is_0_or_nothing_for_every_import",
            "test_a_state_of_more_than_a_mebibyte_is_ignored",
            "test_assignment_data_of_an_empty_room_is_its_header",
            "test_assignment_data_has_only_tasks_that_wait_for_somebody",
            "test_assignment_data_says_what_is_blocked",
            "test_loads_in_assignment_data_leave_out_completed_tasks",
            "test_assignment_data_is_denied_without_either_permission",
            "test_an_assignment_goes_to_the_room",
            "test_an_assignment_of_nothing_or_to_nobody_is_none",
            "test_an_assignment_is_denied_without_either_permission",
        ),
        f"{AGENTS}/test_executor.py": ("test_w4_the_actor_names_the_runner",),
    },
    "Dependency data": {
        f"{AGENTS}/test_imports.py": (
            "test_dependency_data_of_an_empty_room_is_its_header",
            "test_dependency_data_has_every_task_with_its_status",
            "test_dependency_data_says_what_is_urgent",
            "test_dependency_data_counts_who_waits_for_a_task",
            "test_a_completed_task_waits_for_nothing",
            "test_more_than_255_who_wait_are_255",
        ),
        f"{AGENTS}/test_layouts.py": ("test_dependency_data", "test_w31_ids_are_cut_by_bytes_at_a_character_boundary"),
    },
    "Urgency": {
        f"{AGENTS}/test_imports.py": (
            "test_urgency_goes_to_the_room",
            "test_what_is_urgent_already_is_not_made_so_again",
            "test_a_task_that_is_not_known_is_not_made_urgent",
            "test_urgency_of_nothing_is_none",
            "test_urgency_is_denied_without_either_permission",
        ),
    },
    "Imports of data": {
        f"{AGENTS}/test_imports.py": (
            "test_dependency_data_has_every_task_with_its_status",
            "test_dependency_data_fits_whole_or_is_not_written",
            "test_dependency_data_is_denied_without_its_permission",
        ),
    },
    "Timeout wrapper": {
        f"{AGENTS}/test_instance.py": (
            "test_a_fresh_instance_is_made_when_there_is_none",
            "test_a_failed_call_gives_up_the_instance_and_says_why_in_one_line",
            "test_a_failed_start_leaves_no_instance",
        ),
    },
    "Executor": {
        f"{AGENTS}/test_executor.py": (
            "test_none_is_active_at_the_start",
            "test_activation_calls_init_once_and_a_second_one_does_nothing",
            "test_a_deactivated_agent_gets_neither_ticks_nor_events",
            "test_activating_an_unknown_agent_says_so",
            "test_events_reach_every_agent_of_the_room_in_order",
            "test_w35_a_member_who_came_or_went_since_is_seen_by_any_call_without_a_change_of_a_task",
            "test_shutdown_ends_whoever_spins_and_keeps_the_flags",
            "test_what_init_emits_is_admitted",
            "test_w44_drops_carry_reason_and_event",
        ),
        f"{AGENTS}/test_required_outcomes.py": ("test_emits_a_mix_of_honest_and_dishonest_events",),
    },
    "Integration": {
        f"{AGENTS}/test_executor.py": (
            "test_a_deactivated_agent_gets_neither_ticks_nor_events",
            "test_events_reach_every_agent_of_the_room_in_order",
            "test_w1_w35_every_call_sees_the_room_as_it_is_now",
            "test_a_refused_upload_changes_nothing_and_is_noted",
        ),
        f"{AGENTS}/test_state_and_modules.py": ("test_the_active_flag_persists",),
        "tests/cli/test_agents_words.py": (
            "test_nothing_is_kept_of_what_was_refused",
            "test_an_upload_lives_until_it_is_deleted",
        ),
        f"{TERMINAL}/test_real_terminal.py": ("test_a_module_is_uploaded_activated_restarted_and_deleted",),
    },
    "Event validation": {
        f"{AGENTS}/test_imports.py": (
            "test_each_of_the_six_types_goes_to_the_room",
            "test_a_change_of_a_task_that_is_not_known_is_refused_in_any_room",
            "test_an_event_with_something_wrong_is_dropped_with_its_reason",
        ),
        f"{AGENTS}/test_emission.py": (
            "test_another_type_is_disallowed",
            "test_a_missing_type_is_disallowed",
            "test_a_task_id_must_be_there",
            "test_the_task_must_be_known_except_for_creations",
            "test_w7_an_empty_list_of_tasks_bypasses_nothing",
        ),
        f"{AGENTS}/test_executor.py": (
            "test_w4_the_actor_names_the_runner",
            "test_w8_emissions_of_one_call_rise_by_a_millisecond_each",
        ),
    },
    "Signatures": {
        f"{AGENTS}/test_signature.py": (
            "test_a_valid_one_fits",
            "test_another_key_does_not",
            "test_a_hash_that_was_tampered_with_does_not",
            "test_bad_base64_does_not",
            "test_a_short_key_does_not",
            "test_a_short_signature_does_not",
            "test_a_signature_has_64_bytes",
            "test_the_same_is_signed_the_same",
            "test_another_hash_is_signed_otherwise",
            "test_keys_have_32_bytes",
            "test_no_two_keys_are_the_same",
            "test_without_a_trusted_key_anything_passes",
            "test_an_absent_signature_passes_when_none_is_required",
            "test_an_absent_signature_that_is_required",
            "test_a_wrong_or_malformed_one",
            "test_a_right_one_passes",
        ),
    },
    "Built-in agents": {
        f"{AGENTS}/test_executor.py": (
            "test_w33_what_is_built_in_is_part_of_orlop_and_never_a_matter_of_its_name",
            "test_a_built_in_agent_cannot_be_deleted_or_replaced_by_an_upload",
        ),
        f"{AGENTS}/test_manifest.py": ("test_w33_a_name_that_no_agent_may_have_is_refused",),
        "tests/assets/test_shipped_agents.py": (
            "test_auto_balance_gives_the_room_its_work",
            "test_unblock_marks_what_two_wait_for",
        ),
    },
    "Tasks": {
        f"{ROOMS}/test_tasks.py": (
            "test_any_sequence_folds_as_the_rules_say",
            "test_reduce_is_pure_and_a_second_time_changes_nothing",
            "test_creation_fills_in_defaults",
            "test_creation_replaces_even_a_newer_task",
            "test_equal_times_are_decided_by_the_greater_actor",
            "test_a_key_is_recorded_even_when_its_event_changed_nothing",
            "test_only_an_assignment_starts_a_pending_task",
        ),
        f"{ROOMS}/test_admission.py": ("test_the_future_is_held_beyond_five_minutes",),
        f"{ROOMS}/test_derived.py": (
            "test_progress_rounds_half_up",
            "test_room_progress_counts_blocked_only_while_open",
            "test_auto_assign_takes_self_first_then_levels_the_loads",
            "test_auto_assign_prefers_who_wrote_last_among_equals",
        ),
        f"{ROOMS}/test_reminders.py": ("test_a_task_is_reminded_of_from_five_minutes_ahead_until_a_day_after",),
    },
    "Dependencies": {
        f"{ROOMS}/test_tasks.py": (
            "test_dependencies_never_form_a_circle",
            "test_dependencies_are_judged_against_the_graph_before_the_event",
        ),
        f"{ROOMS}/test_derived.py": ("test_blocked_means_an_existing_dependency_is_open",),
        f"{UI}/test_task_screens.py": (
            "test_a_task_that_would_close_a_circle_cannot_be_ticked_and_the_reason_is_said",
        ),
    },
    "`/task` parser": {
        f"{ROOMS}/test_slash.py": (
            "test_all_directives",
            "test_the_title_ends_at_the_first_bar_and_unknown_directives_are_ignored",
            "test_directives_do_not_mind_case_or_blanks",
            "test_without_a_title_or_the_command_it_is_refused",
            "test_times",
            "test_what_is_no_time_is_said",
            "test_any_line_is_parsed_or_refused",
        ),
    },
    "PIN": {
        "tests/runtime/test_pin.py": (
            "test_a_pin_is_six_digits_and_nothing_else",
            "test_the_right_pin_opens_and_a_wrong_one_does_not",
            "test_a_guess_costs_600_000_iterations_of_pbkdf2",
            "test_w25_each_failure_from_the_third_on_doubles_the_wait",
            "test_w25_the_tenth_failure_is_the_last_until_somebody_knows_the_passphrase",
            "test_w25_failures_and_the_wait_survive_a_restart",
        ),
        f"{CONSOLE}/test_lock.py": (
            "test_w25_locking_forgets_the_keys_of_rooms_and_unlocking_reads_them_again",
            "test_w25_a_locked_core_refuses_every_command_about_rooms_and_agents",
        ),
        f"{UI}/test_idle_lock.py": ("test_w25_after_the_idle_time_the_screen_asks_for_the_lock_once",),
    },
    "Reconnect": {
        "tests/net/rooms/test_client.py": (
            "test_w26_whoever_comes_back_first_restores_the_room_after_a_restart_of_the_relay",
            "test_a_relay_that_is_not_there_is_tried_ever_more_rarely",
        ),
        f"{ROOMS}/test_session.py": (
            "test_after_a_connection_it_is_told_whose_keys_are_missing_until_all_have_come",
            "test_w22_a_rotation_that_is_asked_for_is_shared_and_names_the_one_before",
        ),
        f"{TERMINAL}/test_two_consoles.py": ("test_both_come_back_after_the_relay_was_killed",),
    },
    "No cryptography among the imports": {
        f"{AGENTS}/test_instance.py": ("test_none_of_the_host_functions_is_cryptography",),
    },
    "Memory isolation": {
        f"{AGENTS}/test_instance.py": (
            "test_agents_do_not_see_each_others_memory",
            "test_two_threads_serve_two_agents_without_mixing_them_up",
        ),
    },
    "Tampering after storage": {
        f"{AGENTS}/test_trust.py": (
            "test_w12_a_file_that_was_changed_since_the_upload_starts_nothing",
            "test_w12_a_row_that_was_changed_since_the_upload_starts_nothing",
        ),
        f"{AGENTS}/test_executor.py": ("test_a_module_that_was_changed_is_not_instantiated_again",),
    },
    "Breaker at the third tick": {
        f"{AGENTS}/test_required_outcomes.py": ("test_traps_or_recurses_in_every_tick",),
        f"{TERMINAL}/test_real_terminal.py": ("test_the_faulty_agent_trips_and_its_three_reasons_are_read",),
    },
    "State survives reactivation": {
        f"{AGENTS}/test_required_outcomes.py": (
            "test_its_state_survives_being_switched_off_and_on",
            "test_counts_its_ticks_in_its_state",
        ),
    },
    "Ticks at 30 s": {
        f"{AGENTS}/test_executor.py": (
            "test_the_first_tick_comes_one_interval_after_activation",
            "test_a_late_tick_does_not_shift_the_next",
        ),
        f"{CONSOLE}/test_local.py": ("test_only_demo_directories_tick_faster",),
    },
    "A call is killed and the interface lives": {
        f"{AGENTS}/test_required_outcomes.py": ("test_spins_for_ever_in_an_event_or_a_tick",),
        f"{AGENTS}/test_executor.py": ("test_eight_spinners_and_many_honest_agents_coexist",),
    },
    "Warning of an unsigned module": {
        f"{AGENTS}/test_trust.py": ("test_w12_the_operator_may_say_in_so_many_words_that_nobody_need_vouch_for_it",),
        f"{UI}/test_trust_dialogs.py": (
            "test_w12_an_upload_for_which_nobody_vouches_needs_a_tick_of_its_own",
            "test_each_mark_says_what_it_means_without_colour",
        ),
    },
    "Display of the last run": {
        f"{AGENTS}/test_executor.py": ("test_w43_the_last_run_is_shown",),
    },
    "Planned by the original, never written": {
        f"{AGENTS}/test_executor.py": ("test_w39_a_timeout_is_one_failure_and_a_fresh_instance_follows",),
        f"{AGENTS}/test_trust.py": ("test_w12_an_upload_needs_a_signature_of_a_trusted_key",),
        "tests/assets/test_shipped_agents.py": ("test_auto_balance_gives_the_room_its_work",),
    },
    "The way to the agents is visible and opens them": {
        f"{UI}/test_panes.py": ("test_numbers_switch_panes_from_any_focus", "test_a_click_on_the_strip_switches_panes"),
    },
    "A built-in agent is listed, counted and active; off, on, never deleted": {
        f"{TERMINAL}/test_real_terminal.py": (
            "test_what_is_built_in_is_listed_and_active_switched_off_and_on_and_never_deleted",
        ),
        f"{UI}/test_dialogs.py": ("test_a_question_about_several_names_them_and_built_ins_are_refused",),
    },
    "What is empty says what fills it": {
        f"{UI}/test_dialogs.py": ("test_the_first_start_says_what_was_made_and_an_empty_pane_what_fills_it",),
    },
    "Upload": {
        f"{TERMINAL}/test_real_terminal.py": ("test_a_module_is_uploaded_activated_restarted_and_deleted",),
        f"{UI}/test_dialogs.py": ("test_an_upload_takes_the_manifest_beside_the_module_and_asks_for_each_permission",),
    },
    "Tasks and agents beside each other": {
        f"{UI}/test_real_core.py": ("test_the_first_day",),
        f"{UI}/test_task_screens.py": ("test_a_member_is_opened_from_the_list_and_an_agent_in_its_pane",),
    },
    "The first agent is introduced once, in a toast that goes away": {
        f"{UI}/test_introduction.py": (
            "test_agents_are_explained_once_when_the_first_is_there",
            "test_the_words_go_away_by_esc",
        ),
    },
}


def rows() -> dict[str, set[str]]:
    """The groups of the page, in its order, with the files that each leads to."""
    table = PAGE.read_text(encoding="utf-8").split(HEADING, 1)[1].split("\n## ", 1)[0]
    lines = [line for line in table.splitlines() if line.startswith("| ")][2:]
    return {line.split(" | ")[0].removeprefix("| "): set(LINK.findall(line)) for line in lines}


@pytest.mark.parametrize("group", GROUPS)
def test_each_group_has_its_tests(group: str) -> None:
    for path, names in GROUPS[group].items():
        text = (ROOT / path).read_text(encoding="utf-8")
        missing = [name for name in names if not re.search(rf"^ *(async )?def {name}\(", text, re.MULTILINE)]
        assert not missing, f"{path} has no longer what holds {group!r}"


def test_the_page_leads_from_each_group_to_the_files_of_its_tests() -> None:
    assert rows() == {group: set(files) for group, files in GROUPS.items()}
