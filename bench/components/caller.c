// Measures messages from inside: "messages" and "requests" send so many, one after another, to the caller of namespace
// `b`, which sends each back; "times" says how long each took to it and back, in nanoseconds.
#define ORLOP_COMPONENT
#define OWN_HANDLE_MESSAGE
#define OWN_HANDLE_CALLBACK
#include "orlop.h"
#include "plain.h"

enum { KEPT = 1024, WAITS_MS = 30000, SIZE = 64 };

static const uint8_t content[SIZE];
static uint64_t times[KEPT], began;
static size_t done, wanted;

static void trap_if(bool failed) {
  if (failed) __builtin_trap();
}

static void send(orlop_string_t space, orlop_string_t type, orlop_bytes_t payload) {
  orlop_core_component_id_t target = {.namespace = space, .name = ORLOP_STRING("caller")};
  orlop_result_unit_core_messaging_error_t sent;
  orlop_messaging_send_message(&target, type, payload, &sent);
  trap_if(sent.is_err);
}

static void send_next(bool request) {
  orlop_bytes_t payload = {content, SIZE};
  orlop_services_monotonic_nanos(&began);
  if (!request) return send(ORLOP_STRING("b"), ORLOP_STRING("there"), payload);
  orlop_core_component_id_t target = {.namespace = ORLOP_STRING("b"), .name = ORLOP_STRING("caller")};
  orlop_result_u64_core_messaging_error_t asked;
  orlop_messaging_send_request(&target, ORLOP_STRING("there"), payload, WAITS_MS, &asked);
  trap_if(asked.is_err);
}

static void came_back(bool request) {
  uint64_t now;
  orlop_services_monotonic_nanos(&now);
  times[done++] = now - began;
  if (done < wanted) send_next(request);
}

void orlop_component_lifecycle_handle_message(const orlop_core_message_t *message,
                                              orlop_result_option_bytes_core_component_error_t *result) {
  result->is_err = false;
  result->as.ok.is_some = message->request_id.is_some;
  result->as.ok.some = message->payload;
  if (message->request_id.is_some) return;
  if (same(message->content_type, ORLOP_STRING("back"))) return came_back(false);
  send(message->sender.namespace, ORLOP_STRING("back"), message->payload);
}

void orlop_component_lifecycle_handle_callback(uint64_t request_id, const orlop_result_bytes_string_t *outcome,
                                               orlop_result_unit_core_component_error_t *result) {
  (void)request_id;
  result->is_err = false;
  trap_if(outcome->is_err);
  came_back(true);
}

static uint64_t number(orlop_bytes_t input) {
  uint64_t value = 0;
  for (size_t at = 0; at < input.size; at++) value = value * 10 + (input.data[at] - '0');
  return value;
}

void orlop_component_lifecycle_execute(orlop_string_t operation, orlop_bytes_t input,
                                       const orlop_core_execution_context_t *context,
                                       orlop_result_bytes_core_execution_error_t *result) {
  (void)context;
  bool requests = same(operation, ORLOP_STRING("requests"));
  if (same(operation, ORLOP_STRING("times")))
    return answer((orlop_bytes_t){(const uint8_t *)times, done * sizeof times[0]}, result);
  if (!requests && !same(operation, ORLOP_STRING("messages"))) return unknown(operation, result);
  done = 0;
  wanted = (size_t)number(input);
  if (wanted > KEPT) return fail(ORLOP_STRING("too many"), result);
  if (wanted) send_next(requests);
  answer((orlop_bytes_t){0}, result);
}

void orlop_component_lifecycle_metadata(orlop_core_component_metadata_t *result) {
  static const orlop_string_t operations[] = {{"messages", 8}, {"requests", 8}, {"times", 5}};
  *result = (orlop_core_component_metadata_t){
      .name = ORLOP_STRING("caller"),
      .version = ORLOP_STRING("1.0.0"),
      .description = ORLOP_STRING("Measures messages"),
      .supported_operations = {operations, 3},
      .stateful = true,
  };
}
