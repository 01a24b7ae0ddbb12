// A component that starts programs: `echo` what it is given, or one that sleeps, which it keeps or waits for.
#define ORLOP_COMPONENT
#include "orlop.h"

static bool is(orlop_string_t operation, const char *text) {
  size_t at = 0;
  while (at < operation.size && text[at] && operation.data[at] == text[at]) at++;
  return at == operation.size && !text[at];
}

static void refuse(orlop_process_process_error_t error, orlop_result_bytes_core_execution_error_t *result) {
  result->is_err = true;
  result->as.err.tag = ORLOP_CORE_EXECUTION_ERROR_PROCESSING_FAILED;
  result->as.err.as.processing_failed = error.as.not_found;   // the reason lies at the same place in all
}

static bool start(orlop_string_t command, orlop_string_t argument, orlop_process_child_t *child,
                  orlop_result_bytes_core_execution_error_t *result) {
  orlop_process_spawn_options_t options = {
      .command = command, .arguments = {&argument, 1}, .stdout_ = ORLOP_PROCESS_STDIO_PIPE};
  orlop_result_process_child_process_process_error_t started;
  orlop_lifecycle_spawn(&options, &started);
  if (started.is_err) refuse(started.as.err, result);
  else *child = started.as.ok;
  return !started.is_err;
}

void orlop_component_lifecycle_execute(orlop_string_t operation, orlop_bytes_t input,
                                       const orlop_core_execution_context_t *context,
                                       orlop_result_bytes_core_execution_error_t *result) {
  (void)context;
  orlop_string_t argument = {(const char *)input.data, input.size};
  orlop_process_child_t child;
  result->is_err = false;
  result->as.ok = input;
  if (is(operation, "echo")) {
    if (!start(ORLOP_STRING("/bin/echo"), argument, &child, result)) return;
    orlop_result_process_wait_result_process_process_error_t ended;
    orlop_lifecycle_child_wait(child, &ended);
    if (ended.is_err) return refuse(ended.as.err, result);
    orlop_result_process_output_process_process_error_t output;
    orlop_lifecycle_child_read_stdout(child, 4096, 1000, &output);
    if (output.is_err) return refuse(output.as.err, result);
    result->as.ok = output.as.ok.data;
    return;
  }
  if (is(operation, "sleep")) {   // and keep it
    start(ORLOP_STRING("/bin/sleep"), argument, &child, result);
    return;
  }
  result->is_err = true;
  result->as.err.tag = ORLOP_CORE_EXECUTION_ERROR_UNKNOWN_OPERATION;
  result->as.err.as.unknown_operation = operation;
}

void orlop_component_lifecycle_init(const orlop_core_component_config_t *config,
                                    orlop_result_unit_core_component_error_t *result) {
  (void)config;
  result->is_err = false;
}

void orlop_component_lifecycle_handle_message(const orlop_core_message_t *message,
                                              orlop_result_option_bytes_core_component_error_t *result) {
  (void)message;
  result->is_err = false;
  result->as.ok.is_some = false;
}

void orlop_component_lifecycle_handle_callback(uint64_t request_id, const orlop_result_bytes_string_t *outcome,
                                               orlop_result_unit_core_component_error_t *result) {
  (void)request_id, (void)outcome;
  result->is_err = false;
}

void orlop_component_lifecycle_metadata(orlop_core_component_metadata_t *result) {
  *result = (orlop_core_component_metadata_t){.name = ORLOP_STRING("starter"), .version = ORLOP_STRING("1.0.0")};
}

void orlop_component_lifecycle_health(orlop_core_health_report_t *result) {
  *result = (orlop_core_health_report_t){ORLOP_CORE_HEALTH_STATUS_HEALTHY, ORLOP_STRING("")};
}

void orlop_component_lifecycle_shutdown(orlop_core_shutdown_reason_t reason,
                                        orlop_result_unit_core_component_error_t *result) {
  (void)reason;
  result->is_err = false;
}
