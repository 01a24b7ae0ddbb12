// The demo's component: it measures a tide that nobody sees, and breaks down now and then, so that its supervisor has
// something to do. The host asks for its health every few seconds: soon after the start it traps for the first time, and
// then about once a minute.
#define ORLOP_COMPONENT
#define OWN_INIT
#define OWN_HEALTH
#include "orlop.h"
#include "plain.h"

enum { FIRST = 2, LATER = 30 };

static uint32_t patience, asked;

void orlop_component_lifecycle_init(const orlop_core_component_config_t *config,
                                    orlop_result_unit_core_component_error_t *result) {
  patience = config->restart_count ? LATER : FIRST;
  say(ORLOP_CORE_LOG_LEVEL_INFO,
      config->restart_count ? ORLOP_STRING("the gauge measures again") : ORLOP_STRING("the gauge measures"));
  result->is_err = false;
}

void orlop_component_lifecycle_health(orlop_core_health_report_t *result) {
  if (asked++ == patience) {
    say(ORLOP_CORE_LOG_LEVEL_WARN, ORLOP_STRING("water in the gauge: it breaks down on purpose"));
    __builtin_trap();
  }
  *result = (orlop_core_health_report_t){ORLOP_CORE_HEALTH_STATUS_HEALTHY, ORLOP_STRING("the gauge is dry")};
}

// Centimetres above the mean: a triangle over twelve hours.
void orlop_component_lifecycle_execute(orlop_string_t operation, orlop_bytes_t input,
                                       const orlop_core_execution_context_t *context,
                                       orlop_result_bytes_core_execution_error_t *result) {
  (void)input, (void)context;
  if (!same(operation, ORLOP_STRING("level"))) return unknown(operation, result);
  uint64_t now;
  orlop_services_current_time_millis(&now);
  uint64_t minute = now / 60000 % 720, rise = minute < 360 ? minute : 720 - minute;
  text_t text = text_of(32);
  text_number(&text, rise);
  text_add(&text, ORLOP_STRING(" cm\n"));
  answer(text_bytes(&text), result);
}

void orlop_component_lifecycle_metadata(orlop_core_component_metadata_t *result) {
  static const orlop_string_t operations[] = {{"level", 5}};
  *result = (orlop_core_component_metadata_t){
      .name = ORLOP_STRING("tide-gauge"),
      .version = ORLOP_STRING("1.0.0"),
      .description = ORLOP_STRING("Measures the tide of the demo, and breaks down now and then"),
      .supported_operations = {operations, 1},
      .stateful = true,
  };
}
