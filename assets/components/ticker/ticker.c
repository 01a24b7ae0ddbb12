// Publishes ticks, and asks who listens how many came: `tick` does it, `heard` says what the answer was.
#define ORLOP_COMPONENT
#define OWN_HANDLE_CALLBACK
#include "orlop.h"
#include "plain.h"

enum { WAITS_MS = 5000, KEPT = 256 };

static uint64_t ticks;
static char kept[KEPT];
static size_t kept_size;

static void keep(orlop_string_t words) {
  kept_size = words.size < KEPT ? words.size : KEPT;
  for (size_t at = 0; at < kept_size; at++) kept[at] = words.data[at];
}

static void tick(orlop_result_bytes_core_execution_error_t *result) {
  text_t text = text_of(64);
  text_add(&text, ORLOP_STRING("tick "));
  text_number(&text, ++ticks);
  orlop_result_u32_core_messaging_error_t published;
  orlop_messaging_publish(ORLOP_STRING("harbor/ticks"), ORLOP_STRING("text/plain"), text_bytes(&text), &published);
  if (published.is_err) return fail(published.as.err.as.timeout, result);   // the reason: at one place in all cases
  keep(ORLOP_STRING("no answer yet"));
  orlop_core_component_id_t listener = {.namespace = ORLOP_STRING("local"), .name = ORLOP_STRING("listener")};
  orlop_result_u64_core_messaging_error_t asked;
  orlop_messaging_send_request(&listener, ORLOP_STRING("text/plain"),
                               (orlop_bytes_t){(const uint8_t *)"how many?", 9}, WAITS_MS, &asked);
  if (asked.is_err) return fail(asked.as.err.as.timeout, result);
  text_add(&text, ORLOP_STRING(", listeners: "));
  text_number(&text, published.as.ok);
  text_add(&text, ORLOP_STRING("\n"));
  answer(text_bytes(&text), result);
}

void orlop_component_lifecycle_execute(orlop_string_t operation, orlop_bytes_t input,
                                       const orlop_core_execution_context_t *context,
                                       orlop_result_bytes_core_execution_error_t *result) {
  (void)input, (void)context;
  if (same(operation, ORLOP_STRING("tick"))) return tick(result);
  if (!same(operation, ORLOP_STRING("heard"))) return unknown(operation, result);
  text_t text = text_of(KEPT + 1);
  text_add(&text, (orlop_string_t){kept, kept_size});
  text_add(&text, ORLOP_STRING("\n"));
  answer(text_bytes(&text), result);
}

// Exactly one comes for each request: the answer, or why there is none.
void orlop_component_lifecycle_handle_callback(uint64_t request_id, const orlop_result_bytes_string_t *outcome,
                                               orlop_result_unit_core_component_error_t *result) {
  (void)request_id;
  result->is_err = false;
  if (outcome->is_err) return keep(outcome->as.err);
  keep(string_of(outcome->as.ok));
}

void orlop_component_lifecycle_metadata(orlop_core_component_metadata_t *result) {
  static const orlop_string_t operations[] = {{"tick", 4}, {"heard", 5}};
  *result = (orlop_core_component_metadata_t){
      .name = ORLOP_STRING("ticker"),
      .version = ORLOP_STRING("1.0.0"),
      .description = ORLOP_STRING("Publishes ticks and asks who listens"),
      .supported_operations = {operations, 2},
      .stateful = true,
  };
}
