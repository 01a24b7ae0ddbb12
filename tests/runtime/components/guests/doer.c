// A component that does what it is told: `execute` names it, the input of some operations says how much of it.
#define ORLOP_COMPONENT
#include "orlop.h"

static uint32_t counted;
static orlop_string_t spins_in;   // one of health, shutdown, handle-message; empty for none
static char kept[64];
static uint64_t in_order[2], out_of_order;   // of numbered messages: the last from `a` and from `b`; those that were not next

static bool same(const char *data, size_t size, const char *text) {
  size_t at = 0;
  while (at < size && text[at] && data[at] == text[at]) at++;
  return at == size && !text[at];
}

static bool is(orlop_string_t operation, const char *text) { return same(operation.data, operation.size, text); }

static void spin(void) {
  volatile uint32_t turns = 0;
  for (;;) turns++;
}

__attribute__((noinline)) static uint32_t dig(volatile uint32_t depth) { return depth ? dig(depth - 1) + depth : 0; }

static uint64_t number(orlop_bytes_t input) {
  uint64_t value = 0;
  for (size_t at = 0; at < input.size; at++) value = value * 10 + (input.data[at] - '0');
  return value;
}

static void answer_text(orlop_string_t text, orlop_result_bytes_core_execution_error_t *result) {
  result->is_err = false;
  result->as.ok = (orlop_bytes_t){(const uint8_t *)text.data, text.size};
}

static void answer_number(uint64_t value, orlop_result_bytes_core_execution_error_t *result) {
  char *digits = orlop_alloc(20);
  size_t at = 20;
  do {
    digits[--at] = (char)('0' + value % 10);
    value /= 10;
  } while (value);
  answer_text((orlop_string_t){digits + at, 20 - at}, result);
}

// Takes memory page by page until there is no more, and says how many bytes it has then.
static uint64_t take_all_memory(void) {
  while (__builtin_wasm_memory_grow(0, 16) != (size_t)-1) {}
  while (__builtin_wasm_memory_grow(0, 1) != (size_t)-1) {}
  return (uint64_t)__builtin_wasm_memory_size(0) << 16;
}

void orlop_component_lifecycle_init(const orlop_core_component_config_t *config,
                                    orlop_result_unit_core_component_error_t *result) {
  result->is_err = false;
  if (!config->config_data.is_some) return;
  orlop_string_t wish = {(const char *)config->config_data.some.data, config->config_data.some.size};
  if (wish.size > 11 && wish.data[0] == '{') {   // {"wish":"…"} of a manifest
    wish.data += 9;
    wish.size -= 11;
  }
  if (is(wish, "spin")) spin();
  if (is(wish, "trap")) __builtin_trap();
  if (is(wish, "fail")) {
    result->is_err = true;
    result->as.err.tag = ORLOP_CORE_COMPONENT_ERROR_CONFIGURATION_INVALID;
    result->as.err.as.configuration_invalid = ORLOP_STRING("told to fail");
  }
}

static void keep_store(orlop_bytes_t input, orlop_result_bytes_core_execution_error_t *result) {
  orlop_result_unit_core_storage_error_t stored;
  orlop_storage_set(ORLOP_STRING("doer:notes"), ORLOP_STRING("last"), input, &stored);
  if (stored.is_err) {
    result->is_err = true;
    result->as.err.tag = ORLOP_CORE_EXECUTION_ERROR_PROCESSING_FAILED;
    result->as.err.as.processing_failed = stored.as.err.as.not_found;   // the reason lies at the same place in all
    return;
  }
  orlop_result_option_bytes_core_storage_error_t found;
  orlop_storage_get(ORLOP_STRING("doer:notes"), ORLOP_STRING("last"), &found);
  if (found.is_err || !found.as.ok.is_some) __builtin_trap();
  result->is_err = false;
  result->as.ok = found.as.ok.some;
}

// Sends `c/doer` messages, numbered from 1 on over all calls, up to that number or the call's deadline; waits a moment
// whenever its mailbox is full. Answers with the last number.
static void send_numbered(uint64_t count, orlop_result_bytes_core_execution_error_t *result) {
  orlop_core_component_id_t target = {ORLOP_STRING("c"), ORLOP_STRING("doer"), ORLOP_STRING(""), 0};
  static uint64_t last;
  for (bool cut = false; last < count && !cut;) {
    orlop_result_unit_core_messaging_error_t sent;
    uint64_t next = last + 1;
    orlop_messaging_send_message(&target, ORLOP_STRING("number"), (orlop_bytes_t){(uint8_t *)&next, sizeof next}, &sent);
    if (!sent.is_err) last = next;
    else if (sent.as.err.tag == ORLOP_CORE_MESSAGING_ERROR_MAILBOX_FULL) orlop_services_sleep_millis(20, &cut);
    else __builtin_trap();
  }
  answer_number(last, result);
}

static void take_number(const orlop_core_message_t *message) {
  uint64_t *last = &in_order[message->sender.namespace.data[0] == 'b'], came = 0;
  for (size_t at = 0; at < sizeof came; at++) came |= (uint64_t)message->payload.data[at] << (8 * at);
  if (came == *last + 1) *last = came;
  else out_of_order++;
}

void orlop_component_lifecycle_execute(orlop_string_t operation, orlop_bytes_t input,
                                       const orlop_core_execution_context_t *context,
                                       orlop_result_bytes_core_execution_error_t *result) {
  (void)context;
  result->is_err = false;
  result->as.ok = input;
  if (is(operation, "echo")) return;
  if (is(operation, "count")) return answer_number(++counted, result);
  if (is(operation, "spin")) return spin();
  if (is(operation, "trap")) __builtin_trap();
  if (is(operation, "take-all-memory")) return answer_number(take_all_memory(), result);
  if (is(operation, "memory-bomb")) {
    for (;;) take_all_memory();
  }
  if (is(operation, "dig")) return answer_number(dig(0xffffffff), result);
  if (is(operation, "work")) {
    volatile uint64_t turns = 0;
    for (uint64_t left = number(input); left; left--) turns++;
    return answer_number(turns, result);
  }
  if (is(operation, "sleep")) {
    bool cut;
    orlop_services_sleep_millis(number(input), &cut);
    return answer_text(cut ? ORLOP_STRING("cut") : ORLOP_STRING("slept"), result);
  }
  if (is(operation, "log")) {
    orlop_option_list_core_field_t none = {.is_some = false};
    for (uint64_t left = number(input); left; left--)
      orlop_services_log(ORLOP_CORE_LOG_LEVEL_INFO, ORLOP_STRING("a line\x1b[2J"), &none);
    return;
  }
  if (is(operation, "random")) {
    orlop_result_bytes_core_component_error_t bytes;
    orlop_services_random_bytes((uint32_t)number(input), &bytes);
    if (!bytes.is_err) return answer_number(bytes.as.ok.size, result);
    return answer_text(bytes.as.err.as.resource_exhausted, result);
  }
  if (is(operation, "who-am-i")) {
    orlop_core_component_id_t me;
    orlop_services_self_id(&me);
    return answer_text(me.name, result);
  }
  if (is(operation, "memory-limit")) {
    orlop_core_resource_limits_t limits;
    orlop_services_limits(&limits);
    return answer_number(limits.max_memory_bytes, result);
  }
  if (is(operation, "may-store")) {
    orlop_core_permission_result_t allowed;
    orlop_permissions_check_storage_access((orlop_string_t){(const char *)input.data, input.size},
                                           ORLOP_CORE_STORAGE_ACTION_READ, &allowed);
    if (allowed.tag == ORLOP_CORE_PERMISSION_RESULT_GRANTED) return answer_text(ORLOP_STRING("granted"), result);
    return answer_text(allowed.as.denied, result);
  }
  if (is(operation, "store")) return keep_store(input, result);
  if (is(operation, "send-numbered")) return send_numbered(number(input), result);
  if (is(operation, "in-order")) return answer_number(out_of_order ? 0 : in_order[0] + in_order[1], result);
  if (is(operation, "spin-in")) {
    for (size_t at = 0; at < input.size && at < sizeof kept; at++) kept[at] = (char)input.data[at];
    spins_in = (orlop_string_t){kept, input.size};
    return;
  }
  if (is(operation, "large")) {
    size_t size = (size_t)number(input);
    return answer_text((orlop_string_t){orlop_alloc(size), size}, result);
  }
  result->is_err = true;
  result->as.err.tag = ORLOP_CORE_EXECUTION_ERROR_UNKNOWN_OPERATION;
  result->as.err.as.unknown_operation = operation;
}

void orlop_component_lifecycle_handle_message(const orlop_core_message_t *message,
                                              orlop_result_option_bytes_core_component_error_t *result) {
  if (is(spins_in, "handle-message")) spin();
  if (same(message->content_type.data, message->content_type.size, "number")) take_number(message);
  result->is_err = false;
  result->as.ok.is_some = message->request_id.is_some;
  result->as.ok.some = message->payload;
}

void orlop_component_lifecycle_handle_callback(uint64_t request_id, const orlop_result_bytes_string_t *outcome,
                                               orlop_result_unit_core_component_error_t *result) {
  (void)request_id;
  result->is_err = outcome->is_err;
  if (!outcome->is_err) return;
  result->as.err.tag = ORLOP_CORE_COMPONENT_ERROR_NOT_FOUND;
  result->as.err.as.not_found = outcome->as.err;
}

void orlop_component_lifecycle_metadata(orlop_core_component_metadata_t *result) {
  *result = (orlop_core_component_metadata_t){
      .name = ORLOP_STRING("doer"),
      .version = ORLOP_STRING("1.0.0"),
      .description = ORLOP_STRING("Does what it is told"),
      .stateful = true,
  };
}

void orlop_component_lifecycle_health(orlop_core_health_report_t *result) {
  if (is(spins_in, "health")) spin();
  *result = (orlop_core_health_report_t){ORLOP_CORE_HEALTH_STATUS_HEALTHY, ORLOP_STRING("as always")};
}

void orlop_component_lifecycle_shutdown(orlop_core_shutdown_reason_t reason,
                                        orlop_result_unit_core_component_error_t *result) {
  (void)reason;
  if (is(spins_in, "shutdown")) spin();
  result->is_err = false;
}
