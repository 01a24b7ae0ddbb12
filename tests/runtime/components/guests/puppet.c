// A component that calls exactly the import that `execute` names, with the core values and the memory of its input, and
// gives back what the memory looks like then. Whoever pulls the strings says what is in them, so it may be nonsense.
#define ORLOP_COMPONENT
#include "orlop.h"

static bool is(orlop_string_t operation, const char *text) {
  size_t at = 0;
  while (at < operation.size && text[at] && operation.data[at] == text[at]) at++;
  return at == operation.size && !text[at];
}

#include "calls.h"

enum { ARENA = 1 << 18, RESULT = 1024, VALUES = 32, HEARD = 4096 };

// What is given lies here; the first RESULT bytes are for what comes back.
static _Alignas(16) uint8_t arena[ARENA];
static uint8_t heard[HEARD];
static size_t heard_size;

static void copy(uint8_t *to, const void *from, size_t size) {
  for (size_t at = 0; at < size; at++) to[at] = ((const uint8_t *)from)[at];
}

static void hear(const void *data, size_t size) {
  size_t room = HEARD - heard_size;
  copy(heard + heard_size, data, size < room ? size : room);
  heard_size += size < room ? size : room;
}

static void answer(const void *data, size_t size, orlop_result_bytes_core_execution_error_t *result) {
  uint8_t *kept = orlop_alloc(size);
  copy(kept, data, size);
  result->as.ok = (orlop_bytes_t){kept, size};
}

// Input: a count, so many core values, and bytes for the arena behind the result. Output: the core value that came back,
// where the heap begins, the result's bytes and those of the heap.
static void pull(orlop_string_t name, orlop_bytes_t input, orlop_result_bytes_core_execution_error_t *result) {
  uint64_t values[VALUES] = {0}, count = 0, given = 0;
  if (input.size < 8) __builtin_trap();
  copy((uint8_t *)&count, input.data, 8);
  if (count > VALUES || 8 + count * 8 + RESULT > input.size + RESULT || input.size > ARENA - RESULT) __builtin_trap();
  copy((uint8_t *)values, input.data + 8, count * 8);
  for (size_t at = 0; at < RESULT; at++) arena[at] = 0;
  copy(arena + RESULT, input.data + 8 + count * 8, input.size - 8 - count * 8);
  orlop_alloc(0);
  uint64_t heap = orlop_heap_top;
  if (!call(name, values, &given)) {
    result->is_err = true;
    result->as.err.tag = ORLOP_CORE_EXECUTION_ERROR_UNKNOWN_OPERATION;
    result->as.err.as.unknown_operation = name;
    return;
  }
  size_t more = orlop_heap_top - heap;
  uint8_t *said = orlop_alloc(16 + RESULT + more);
  copy(said, &given, 8);
  copy(said + 8, &heap, 8);
  copy(said + 16, arena, RESULT);
  copy(said + 16 + RESULT, (const void *)(size_t)heap, more);
  result->as.ok = (orlop_bytes_t){said, 16 + RESULT + more};
}

void orlop_component_lifecycle_execute(orlop_string_t operation, orlop_bytes_t input,
                                       const orlop_core_execution_context_t *context,
                                       orlop_result_bytes_core_execution_error_t *result) {
  (void)context;
  uint64_t number = 0;
  result->is_err = false;
  if (is(operation, "arena")) {
    number = (uint64_t)(size_t)arena;
    return answer(&number, sizeof number, result);
  }
  if (is(operation, "grow")) {   // so many bytes of the input say how many pages
    copy((uint8_t *)&number, input.data, input.size < 8 ? input.size : 8);
    number = __builtin_wasm_memory_grow(0, (size_t)number) == (size_t)-1;
    return answer(&number, sizeof number, result);
  }
  if (is(operation, "heard")) {
    answer(heard, heard_size, result);
    heard_size = 0;
    return;
  }
  pull(operation, input, result);
}

void orlop_component_lifecycle_init(const orlop_core_component_config_t *config,
                                    orlop_result_unit_core_component_error_t *result) {
  (void)config;
  hear("init\n", 5);
  result->is_err = false;
}

// Asks back whoever sent a message of the content type `ask back`, before it answers.
static void ask_back(const orlop_core_message_t *message) {
  orlop_result_u64_core_messaging_error_t asked;
  orlop_messaging_send_request(&message->sender, message->content_type, message->payload, 60000, &asked);
  hear("asked back:", 11);
  if (!asked.is_err) hear("ok", 2);
  else if (asked.as.err.tag == ORLOP_CORE_MESSAGING_ERROR_DEADLOCK) hear("deadlock", 8);
  else hear(asked.as.err.as.timeout.data, asked.as.err.as.timeout.size);   // the reason: at one place in all cases
  hear("\n", 1);
}

void orlop_component_lifecycle_handle_message(const orlop_core_message_t *message,
                                              orlop_result_option_bytes_core_component_error_t *result) {
  hear("message:", 8);
  if (message->topic.is_some) {
    hear(message->topic.some.data, message->topic.some.size);
    hear(":", 1);
  }
  hear(message->payload.data, message->payload.size);
  hear("\n", 1);
  if (is(message->content_type, "ask back")) ask_back(message);
  result->is_err = false;
  result->as.ok.is_some = message->request_id.is_some;
  result->as.ok.some = message->payload;
}

void orlop_component_lifecycle_handle_callback(uint64_t request_id, const orlop_result_bytes_string_t *outcome,
                                               orlop_result_unit_core_component_error_t *result) {
  (void)request_id;
  hear("callback:", 9);
  if (outcome->is_err) hear(outcome->as.err.data, outcome->as.err.size);
  else hear(outcome->as.ok.data, outcome->as.ok.size);
  hear("\n", 1);
  result->is_err = false;
}

void orlop_component_lifecycle_metadata(orlop_core_component_metadata_t *result) {
  hear("metadata\n", 9);
  *result = (orlop_core_component_metadata_t){.name = ORLOP_STRING("puppet"), .version = ORLOP_STRING("1.0.0")};
}

void orlop_component_lifecycle_health(orlop_core_health_report_t *result) {
  hear("health\n", 7);
  *result = (orlop_core_health_report_t){ORLOP_CORE_HEALTH_STATUS_HEALTHY, ORLOP_STRING("")};
}

void orlop_component_lifecycle_shutdown(orlop_core_shutdown_reason_t reason,
                                        orlop_result_unit_core_component_error_t *result) {
  (void)reason;
  orlop_option_list_core_field_t none = {.is_some = false};
  orlop_services_log(ORLOP_CORE_LOG_LEVEL_INFO, ORLOP_STRING("shutdown"), &none);
  result->is_err = false;
}
