// A component of orlop:worlds/full that a test calls: it says back what it was told, and asks its host a few things.
#define ORLOP_COMPONENT
#include "orlop_world.h"

static bool is(orlop_string_t text, orlop_string_t other) {
  if (text.size != other.size) return false;
  for (size_t i = 0; i < text.size; i++)
    if (text.data[i] != other.data[i]) return false;
  return true;
}

static uint32_t restarts;
static orlop_string_t kept;

void orlop_component_lifecycle_init(const orlop_core_component_config_t *config,
                                    orlop_result_unit_core_component_error_t *result) {
  restarts = config->restart_count;
  kept = config->env_vars.data[0].f1;
  orlop_keep();
  result->is_err = config->config_data.is_some && config->config_data.some.size == 0;
  result->as.err.tag = ORLOP_CORE_COMPONENT_ERROR_CONFIGURATION_INVALID;
  result->as.err.as.configuration_invalid = ORLOP_STRING("empty");
}

void orlop_component_lifecycle_execute(orlop_string_t operation, orlop_bytes_t input,
                                       const orlop_core_execution_context_t *context,
                                       orlop_result_bytes_core_execution_error_t *result) {
  result->is_err = false;
  result->as.ok = input;
  if (is(operation, ORLOP_STRING("environment"))) {
    result->as.ok = (orlop_bytes_t){(const uint8_t *)kept.data, kept.size};
  } else if (is(operation, ORLOP_STRING("trace"))) {
    result->as.ok = (orlop_bytes_t){(const uint8_t *)context->trace_id.data, context->trace_id.size};
  } else if (is(operation, ORLOP_STRING("open"))) {
    orlop_result_filesystem_file_filesystem_filesystem_error_t opened;
    orlop_filesystem_file_open_options_t options = {.mode = ORLOP_FILESYSTEM_OPEN_MODE_READ_WRITE, .create = true,
                                                    .permissions = {.mode = 0640}};
    orlop_filesystem_open((orlop_string_t){(const char *)input.data, input.size}, &options, &opened);
    if (opened.is_err) {
      result->is_err = true;
      result->as.err.tag = ORLOP_CORE_EXECUTION_ERROR_PROCESSING_FAILED;
      result->as.err.as.processing_failed = opened.as.err.as.not_found;
      return;
    }
    orlop_result_filesystem_text_result_filesystem_filesystem_error_t text;
    orlop_filesystem_file_read_text(opened.as.ok, 100, ORLOP_FILESYSTEM_TEXT_ENCODING_UTF8, &text);
    result->as.ok = (orlop_bytes_t){(const uint8_t *)text.as.ok.text.data, text.as.ok.text.size};
    orlop_filesystem_file_drop(opened.as.ok);
  } else {
    result->is_err = true;
    result->as.err.tag = ORLOP_CORE_EXECUTION_ERROR_UNKNOWN_OPERATION;
    result->as.err.as.unknown_operation = operation;
  }
}

void orlop_component_lifecycle_handle_message(const orlop_core_message_t *message,
                                              orlop_result_option_bytes_core_component_error_t *result) {
  result->is_err = false;
  result->as.ok.is_some = message->request_id.is_some;
  result->as.ok.some = message->payload;
}

void orlop_component_lifecycle_handle_callback(uint64_t request_id, const orlop_result_bytes_string_t *outcome,
                                               orlop_result_unit_core_component_error_t *result) {
  result->is_err = outcome->is_err && request_id == 7;
  result->as.err.tag = ORLOP_CORE_COMPONENT_ERROR_NOT_FOUND;
  result->as.err.as.not_found = outcome->as.err;
}

void orlop_component_lifecycle_metadata(orlop_core_component_metadata_t *result) {
  *result = (orlop_core_component_metadata_t){.name = ORLOP_STRING("probe"), .version = ORLOP_STRING("1.0.0")};
}

void orlop_component_lifecycle_health(orlop_core_health_report_t *result) {
  result->status = restarts ? ORLOP_CORE_HEALTH_STATUS_DEGRADED : ORLOP_CORE_HEALTH_STATUS_HEALTHY;
  result->detail = ORLOP_STRING("as ever");
}

void orlop_component_lifecycle_shutdown(orlop_core_shutdown_reason_t reason,
                                        orlop_result_unit_core_component_error_t *result) {
  result->is_err = reason == ORLOP_CORE_SHUTDOWN_REASON_LIMIT;
  result->as.err.tag = ORLOP_CORE_COMPONENT_ERROR_INVALID_STATE;
  result->as.err.as.invalid_state = ORLOP_STRING("not now");
}
