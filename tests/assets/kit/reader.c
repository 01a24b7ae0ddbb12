/* Test guest: a tick reads the tasks with the kit's tokenizer and emits every token as [kind, text], with their number;
 * a task event stores what orlop_skip leaves behind the first value. */
#include "orlop_agent.h"

enum { CAPACITY = 1 << 18 };

ORLOP_EXPORT(init) void init(void) {}

ORLOP_EXPORT(on_task_event) void on_task_event(void) {
  uint8_t *d = orlop_arena(CAPACITY);
  orlop_in r = orlop_read(d, d ? host_get_tasks(d, CAPACITY) : 0);
  orlop_skip(&r);
  host_set_state(r.at, (int32_t)(r.end - r.at));
}

ORLOP_EXPORT(on_tick) void on_tick(void) {
  uint8_t *d = orlop_arena(5 * CAPACITY);
  if (!d) return;
  orlop_in r = orlop_read(d, host_get_tasks(d, CAPACITY));
  orlop_out o = {d + CAPACITY, 0, 4 * CAPACITY};
  int64_t n = 0;
  orlop_raw(&o, "{\"tokens\":[");
  for (int kind; (kind = orlop_next(&r)) >= 0; n++) {
    uint8_t letter = (uint8_t)kind;
    if (n) orlop_byte(&o, ',');
    orlop_byte(&o, '[');
    orlop_str(&o, &letter, 1);
    orlop_byte(&o, ',');
    orlop_str(&o, r.s, r.n);
    orlop_byte(&o, ']');
  }
  orlop_raw(&o, "],\"count\":");
  orlop_int(&o, n);
  orlop_raw(&o, ",\"numbers\":[");
  orlop_int(&o, INT64_MIN);
  orlop_byte(&o, ',');
  orlop_int(&o, INT64_MAX);
  orlop_raw(&o, "]}");
  if (orlop_ok(&o)) host_emit_event(o.p, o.n);
}
