// Listens to ticks, writes each into its log, and answers how many came to whoever asks.
#define ORLOP_COMPONENT
#define OWN_INIT
#define OWN_HANDLE_MESSAGE
#include "orlop.h"
#include "plain.h"

static uint64_t ticks;

void orlop_component_lifecycle_init(const orlop_core_component_config_t *config,
                                    orlop_result_unit_core_component_error_t *result) {
  (void)config;
  orlop_result_unit_core_messaging_error_t subscribed;
  orlop_messaging_subscribe(ORLOP_STRING("harbor/ticks"), &subscribed);
  result->is_err = subscribed.is_err;
  if (!subscribed.is_err) return;
  result->as.err.tag = ORLOP_CORE_COMPONENT_ERROR_INITIALIZATION_FAILED;
  result->as.err.as.initialization_failed = subscribed.as.err.as.timeout;   // the reason: at one place in all cases
}

static text_t counted(void) {
  text_t text = text_of(64);
  text_number(&text, ticks);
  text_add(&text, ticks == 1 ? ORLOP_STRING(" tick came") : ORLOP_STRING(" ticks came"));
  return text;
}

void orlop_component_lifecycle_handle_message(const orlop_core_message_t *message,
                                              orlop_result_option_bytes_core_component_error_t *result) {
  result->is_err = false;
  result->as.ok.is_some = message->request_id.is_some;
  if (message->topic.is_some) {
    ticks++;
    say(ORLOP_CORE_LOG_LEVEL_INFO, string_of(message->payload));
  }
  if (!message->request_id.is_some) return;
  text_t text = counted();
  result->as.ok.some = text_bytes(&text);
}

void orlop_component_lifecycle_execute(orlop_string_t operation, orlop_bytes_t input,
                                       const orlop_core_execution_context_t *context,
                                       orlop_result_bytes_core_execution_error_t *result) {
  (void)input, (void)context;
  if (!same(operation, ORLOP_STRING("count"))) return unknown(operation, result);
  text_t text = counted();
  text_add(&text, ORLOP_STRING("\n"));
  answer(text_bytes(&text), result);
}

void orlop_component_lifecycle_metadata(orlop_core_component_metadata_t *result) {
  static const orlop_string_t operations[] = {{"count", 5}};
  *result = (orlop_core_component_metadata_t){
      .name = ORLOP_STRING("listener"),
      .version = ORLOP_STRING("1.0.0"),
      .description = ORLOP_STRING("Listens to ticks and counts them"),
      .supported_operations = {operations, 1},
      .stateful = true,
  };
}
