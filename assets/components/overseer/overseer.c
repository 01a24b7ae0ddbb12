// Keeps one program, `cat`: `start` it, `say` it something and hear what it says, `end` it without haste.
#define ORLOP_COMPONENT
#define OWN_HEALTH
#define OWN_SHUTDOWN
#include "orlop.h"
#include "plain.h"

enum { ANSWERS_MS = 3000, ENDS_MS = 2000, OUTPUT = 65536 };

static orlop_process_child_t child;
static bool started;

static void start(orlop_result_bytes_core_execution_error_t *result) {
  if (started) return fail(ORLOP_STRING("it was started already"), result);
  orlop_process_spawn_options_t options = {
      .command = ORLOP_STRING("/usr/bin/cat"), .stdin_ = ORLOP_PROCESS_STDIO_PIPE, .stdout_ = ORLOP_PROCESS_STDIO_PIPE};
  orlop_result_process_child_process_process_error_t made;
  orlop_lifecycle_spawn(&options, &made);
  if (made.is_err) return fail(made.as.err.as.spawn_failed, result);   // the reason lies at the same place in all cases
  child = made.as.ok;
  started = true;
  answer((orlop_bytes_t){(const uint8_t *)"started\n", 8}, result);
}

static void speak(orlop_bytes_t words, orlop_result_bytes_core_execution_error_t *result) {
  if (!started) return fail(ORLOP_STRING("start it first"), result);
  orlop_result_unit_process_process_error_t written;
  orlop_lifecycle_child_write_stdin(child, words, ANSWERS_MS, &written);
  if (written.is_err) return fail(written.as.err.as.spawn_failed, result);
  text_t heard = text_of(words.size);
  while (heard.size < words.size) {
    orlop_result_process_output_process_process_error_t part;
    orlop_lifecycle_child_read_stdout(child, OUTPUT, ANSWERS_MS, &part);
    if (part.is_err) return fail(part.as.err.as.spawn_failed, result);
    text_add(&heard, string_of(part.as.ok.data));
    if (part.as.ok.end_of_file) break;
  }
  answer(text_bytes(&heard), result);
}

static orlop_string_t ended(void) {
  orlop_result_process_shutdown_outcome_process_process_error_t outcome;
  orlop_signals_graceful_shutdown(child, ENDS_MS, &outcome);
  orlop_lifecycle_child_drop(child);
  started = false;
  if (outcome.is_err) return outcome.as.err.as.spawn_failed;
  if (outcome.as.ok == ORLOP_PROCESS_SHUTDOWN_OUTCOME_KILLED) return ORLOP_STRING("it had to be killed\n");
  if (outcome.as.ok == ORLOP_PROCESS_SHUTDOWN_OUTCOME_EXITED) return ORLOP_STRING("it ended when it was asked\n");
  return ORLOP_STRING("it had ended before\n");
}

void orlop_component_lifecycle_execute(orlop_string_t operation, orlop_bytes_t input,
                                       const orlop_core_execution_context_t *context,
                                       orlop_result_bytes_core_execution_error_t *result) {
  (void)context;
  if (same(operation, ORLOP_STRING("start"))) return start(result);
  if (same(operation, ORLOP_STRING("say"))) return speak(input, result);
  if (!same(operation, ORLOP_STRING("end"))) return unknown(operation, result);
  if (!started) return fail(ORLOP_STRING("start it first"), result);
  orlop_string_t how = ended();
  answer((orlop_bytes_t){(const uint8_t *)how.data, how.size}, result);
}

void orlop_component_lifecycle_metadata(orlop_core_component_metadata_t *result) {
  static const orlop_string_t operations[] = {{"start", 5}, {"say", 3}, {"end", 3}};
  *result = (orlop_core_component_metadata_t){
      .name = ORLOP_STRING("overseer"),
      .version = ORLOP_STRING("1.0.0"),
      .description = ORLOP_STRING("Keeps one program and ends it without haste"),
      .supported_operations = {operations, 3},
      .stateful = true,
  };
}

void orlop_component_lifecycle_health(orlop_core_health_report_t *result) {
  *result = (orlop_core_health_report_t){ORLOP_CORE_HEALTH_STATUS_HEALTHY, ORLOP_STRING("nothing was started")};
  if (!started) return;
  orlop_result_bool_process_process_error_t running;
  orlop_lifecycle_child_is_running(child, &running);
  bool runs = !running.is_err && running.as.ok;
  *result = (orlop_core_health_report_t){
      runs ? ORLOP_CORE_HEALTH_STATUS_HEALTHY : ORLOP_CORE_HEALTH_STATUS_DEGRADED,
      runs ? ORLOP_STRING("the program runs") : ORLOP_STRING("the program has ended")};
}

void orlop_component_lifecycle_shutdown(orlop_core_shutdown_reason_t reason,
                                        orlop_result_unit_core_component_error_t *result) {
  (void)reason;
  if (started) ended();
  result->is_err = false;
}
