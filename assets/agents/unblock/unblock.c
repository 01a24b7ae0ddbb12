/* Marks a task as urgent when at least two unfinished tasks wait for it. */
#include "orlop_agent.h"

enum { CAPACITY = 16384, PENDING_ON_IT = 2, COMPLETED = 2 }; /* at most 420 tasks fit; a larger room is left alone */

ORLOP_EXPORT(init) void init(void) {}

ORLOP_EXPORT(on_task_event) void on_task_event(void) {}

ORLOP_EXPORT(on_tick) void on_tick(void) {
  uint8_t *d = orlop_arena(CAPACITY);
  if (!d || !host_get_dependency_data(d, CAPACITY)) return;
  for (uint32_t i = 0, tasks = orlop_d_tasks(d); i < tasks; i++) {
    uint8_t *task = orlop_d_task(d, i);
    if (task[ORLOP_D_STATUS] == COMPLETED || task[ORLOP_D_URGENT] || task[ORLOP_D_DEPENDENTS] < PENDING_ON_IT) continue;
    host_emit_urgency(task, orlop_field_len(task, ORLOP_ID));
  }
}
