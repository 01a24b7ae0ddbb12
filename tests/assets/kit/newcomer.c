/* newcomer: uses every host function once, as the documentation explains them. */
#include "orlop_agent.h"

enum { SIZE = 65536 };

ORLOP_EXPORT(init) void init(void) {
  uint8_t *d = orlop_arena(SIZE);
  if (!d) return;
  orlop_out o = {d, 0, SIZE};
  orlop_raw(&o, "hello, it is ");
  orlop_int(&o, host_get_now());
  if (orlop_ok(&o)) host_log(o.p, o.n);
}

ORLOP_EXPORT(on_task_event) void on_task_event(void) {
  uint8_t *d = orlop_arena(2 * SIZE);
  int32_t n = d ? host_get_event(d, SIZE) : 0;
  orlop_in r = orlop_read(d, n), type = {0}, id = {0};
  orlop_next(&r);
  while (orlop_next(&r) == 's') {
    if (orlop_is(&r, "type")) { orlop_next(&r); type = r; }
    else if (orlop_is(&r, "taskId")) { orlop_next(&r); id = r; }
    else orlop_skip(&r);
  }
  orlop_out o = {d + SIZE, 0, SIZE};
  orlop_bytes(&o, type.s, type.n);
  orlop_raw(&o, " of ");
  orlop_bytes(&o, id.s, id.n);
  if (orlop_ok(&o)) host_log(o.p, o.n);
}

static uint32_t members(uint8_t *d) {
  orlop_in r = orlop_read(d, host_get_members(d, SIZE));
  uint32_t count = 0;
  orlop_next(&r);
  while (orlop_next(&r) == '{') {
    count++;
    while (orlop_next(&r) == 's') orlop_skip(&r);
  }
  return count;
}

ORLOP_EXPORT(on_tick) void on_tick(void) {
  uint8_t *d = orlop_arena(4 * SIZE), *out = d + SIZE, *state = d + 2 * SIZE, *plain = d + 3 * SIZE;
  if (!d) return;
  uint32_t ticks = host_get_state(state, 4) == 4 ? orlop_u32(state) : 0;
  orlop_put_u32(state, ++ticks);
  host_set_state(state, 4);
  if (ticks > 1) {
    orlop_out o = {out, 0, SIZE};
    orlop_raw(&o, "tick ");
    orlop_int(&o, ticks);
    host_log(o.p, o.n);
    return;
  }
  if (host_get_dependency_data(d, SIZE))
    for (uint32_t i = 0; i < orlop_d_tasks(d); i++) {
      uint8_t *one = orlop_d_task(d, i);
      if (one[ORLOP_D_DEPENDENTS] && !one[ORLOP_D_URGENT]) host_emit_urgency(one, orlop_field_len(one, ORLOP_ID));
    }
  if (host_get_assignment_data(d, SIZE) && orlop_a_members(d))
    for (uint32_t i = 0; i < orlop_a_tasks(d); i++) {
      uint8_t *one = orlop_a_task(d, i), *who = orlop_a_member(d, 0);
      if (!one[ORLOP_A_BLOCKED])
        host_emit_assignment(one, orlop_field_len(one, ORLOP_ID), who, orlop_field_len(who, ORLOP_ID));
    }
  uint32_t count = members(d), tasks = 0;
  orlop_in r = orlop_read(d, host_get_tasks(d, SIZE)), first = {0};
  orlop_task t;
  orlop_next(&r);
  while (orlop_next_task(&r, &t))
    if (!tasks++) first = t.title;
  orlop_out title = {state, 0, 64}, text = {state + 64, 0, SIZE - 64}, o = {out, 0, SIZE};
  orlop_int(&title, tasks);
  orlop_raw(&title, " tasks, ");
  orlop_int(&title, count);
  orlop_raw(&title, count == 1 ? " member" : " members");
  orlop_raw(&text, "first: ");
  orlop_bytes(&text, plain, orlop_plain(&first, plain));
  orlop_raw(&o, "{\"type\":\"task_created\",\"taskId\":\"tally\",\"task\":{\"title\":");
  orlop_str(&o, title.p, title.n);
  orlop_raw(&o, ",\"description\":");
  orlop_str(&o, text.p, text.n);
  orlop_raw(&o, "}}");
  if (orlop_ok(&o) && orlop_ok(&title) && orlop_ok(&text)) host_emit_event(o.p, o.n);
}
