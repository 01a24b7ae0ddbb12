// What most components have in common: texts that are put together, and plain answers to the calls of the host that a
// component does not care about. Include it after orlop.h, and before that define OWN_… for each call that you answer
// yourself.
#ifndef ORLOP_PLAIN_H
#define ORLOP_PLAIN_H

typedef struct {
  char *data;
  size_t size, room;
} text_t;

/// A text of at most `room` bytes; it lives until the call of the host has returned.
static inline text_t text_of(size_t room) { return (text_t){orlop_alloc(room), 0, room}; }

/// Adds a string; what does not fit is left out.
static inline void text_add(text_t *text, orlop_string_t more) {
  for (size_t at = 0; at < more.size && text->size < text->room; at++) text->data[text->size++] = more.data[at];
}

/// Adds a number.
static inline void text_number(text_t *text, uint64_t value) {
  char digits[20];
  size_t at = sizeof digits;
  do {
    digits[--at] = (char)('0' + value % 10);
    value /= 10;
  } while (value);
  text_add(text, (orlop_string_t){digits + at, sizeof digits - at});
}

static inline orlop_string_t text_string(const text_t *text) { return (orlop_string_t){text->data, text->size}; }
static inline orlop_bytes_t text_bytes(const text_t *text) {
  return (orlop_bytes_t){(const uint8_t *)text->data, text->size};
}
static inline orlop_string_t string_of(orlop_bytes_t bytes) {
  return (orlop_string_t){(const char *)bytes.data, bytes.size};
}

/// Whether two strings are the same.
static inline bool same(orlop_string_t one, orlop_string_t other) {
  size_t at = 0;
  while (at < one.size && at < other.size && one.data[at] == other.data[at]) at++;
  return at == one.size && at == other.size;
}

/// Writes a line into the component's log.
static inline void say(orlop_core_log_level_t level, orlop_string_t message) {
  orlop_option_list_core_field_t none = {.is_some = false};
  orlop_services_log(level, message, &none);
}

/// `execute` succeeded with these bytes.
static inline void answer(orlop_bytes_t output, orlop_result_bytes_core_execution_error_t *result) {
  result->is_err = false;
  result->as.ok = output;
}

/// `execute` failed for this reason.
static inline void fail(orlop_string_t reason, orlop_result_bytes_core_execution_error_t *result) {
  result->is_err = true;
  result->as.err.tag = ORLOP_CORE_EXECUTION_ERROR_PROCESSING_FAILED;
  result->as.err.as.processing_failed = reason;
}

/// `execute` was asked for something that this component does not do.
static inline void unknown(orlop_string_t operation, orlop_result_bytes_core_execution_error_t *result) {
  result->is_err = true;
  result->as.err.tag = ORLOP_CORE_EXECUTION_ERROR_UNKNOWN_OPERATION;
  result->as.err.as.unknown_operation = operation;
}

#ifndef OWN_INIT
void orlop_component_lifecycle_init(const orlop_core_component_config_t *config,
                                    orlop_result_unit_core_component_error_t *result) {
  (void)config;
  result->is_err = false;
}
#endif

#ifndef OWN_HANDLE_MESSAGE
void orlop_component_lifecycle_handle_message(const orlop_core_message_t *message,
                                              orlop_result_option_bytes_core_component_error_t *result) {
  (void)message;
  result->is_err = false;
  result->as.ok.is_some = false;
}
#endif

#ifndef OWN_HANDLE_CALLBACK
void orlop_component_lifecycle_handle_callback(uint64_t request_id, const orlop_result_bytes_string_t *outcome,
                                               orlop_result_unit_core_component_error_t *result) {
  (void)request_id, (void)outcome;
  result->is_err = false;
}
#endif

#ifndef OWN_HEALTH
void orlop_component_lifecycle_health(orlop_core_health_report_t *result) {
  *result = (orlop_core_health_report_t){ORLOP_CORE_HEALTH_STATUS_HEALTHY, ORLOP_STRING("")};
}
#endif

#ifndef OWN_SHUTDOWN
void orlop_component_lifecycle_shutdown(orlop_core_shutdown_reason_t reason,
                                        orlop_result_unit_core_component_error_t *result) {
  (void)reason;
  result->is_err = false;
}
#endif

#endif
