// A component with files: reads one, keeps one open, guesses handles and drops them twice.
#define ORLOP_COMPONENT
#include "orlop.h"

static orlop_filesystem_file_t held;

static bool is(orlop_string_t operation, const char *text) {
  size_t at = 0;
  while (at < operation.size && text[at] && operation.data[at] == text[at]) at++;
  return at == operation.size && !text[at];
}

static void refuse(orlop_filesystem_filesystem_error_t error, orlop_result_bytes_core_execution_error_t *result) {
  result->is_err = true;
  result->as.err.tag = ORLOP_CORE_EXECUTION_ERROR_PROCESSING_FAILED;
  result->as.err.as.processing_failed = error.as.not_found;   // the reason lies at the same place in all
}

static bool opened(orlop_string_t path, orlop_result_bytes_core_execution_error_t *result) {
  orlop_filesystem_file_open_options_t options = {
      .mode = ORLOP_FILESYSTEM_OPEN_MODE_READ, .follow_final_symlink = true, .permissions = {0600}};
  orlop_result_filesystem_file_filesystem_filesystem_error_t file;
  orlop_filesystem_open(path, &options, &file);
  if (file.is_err) refuse(file.as.err, result);
  else held = file.as.ok;
  return !file.is_err;
}

void orlop_component_lifecycle_execute(orlop_string_t operation, orlop_bytes_t input,
                                       const orlop_core_execution_context_t *context,
                                       orlop_result_bytes_core_execution_error_t *result) {
  (void)context;
  orlop_string_t path = {(const char *)input.data, input.size};
  orlop_result_filesystem_read_result_filesystem_filesystem_error_t part;
  result->is_err = false;
  result->as.ok = input;
  if (is(operation, "open")) {
    opened(path, result);
    return;
  }
  if (is(operation, "read")) {   // of what is open
    orlop_filesystem_file_read(held, 4096, &part);
    if (part.is_err) return refuse(part.as.err, result);
    result->as.ok = part.as.ok.data;
    return;
  }
  if (is(operation, "close-twice")) {
    orlop_result_unit_filesystem_filesystem_error_t closed;
    if (!opened(path, result)) return;
    orlop_filesystem_file_close(held, &closed);
    if (closed.is_err) __builtin_trap();
    orlop_filesystem_file_close(held, &closed);
    if (closed.is_err) refuse(closed.as.err, result);
    orlop_filesystem_file_drop(held);
    return;
  }
  if (is(operation, "drop-twice")) {
    if (!opened(path, result)) return;
    orlop_filesystem_file_drop(held);
    orlop_filesystem_file_drop(held);
    return;
  }
  if (is(operation, "guess")) {
    orlop_filesystem_file_read(12345, 16, &part);
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
  *result = (orlop_core_component_metadata_t){.name = ORLOP_STRING("filer"), .version = ORLOP_STRING("1.0.0")};
}

void orlop_component_lifecycle_health(orlop_core_health_report_t *result) {
  *result = (orlop_core_health_report_t){ORLOP_CORE_HEALTH_STATUS_HEALTHY, ORLOP_STRING("")};
}

void orlop_component_lifecycle_shutdown(orlop_core_shutdown_reason_t reason,
                                        orlop_result_unit_core_component_error_t *result) {
  (void)reason;
  result->is_err = false;
}
