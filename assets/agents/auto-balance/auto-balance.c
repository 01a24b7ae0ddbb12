/* Gives every unblocked, unassigned, pending task to the member with the least work. */
#include "orlop_agent.h"

enum { CAPACITY = 8192 }; /* a larger room is left alone: 8 + 37 tasks + 44 members bytes must fit */

ORLOP_EXPORT(init) void init(void) {
  uint8_t *d = orlop_arena(CAPACITY + 4);
  if (d) host_get_state(d + CAPACITY, 4);
}

ORLOP_EXPORT(on_task_event) void on_task_event(void) {}

static uint8_t *least_loaded(uint8_t *d, uint32_t members) {
  uint8_t *best = orlop_a_member(d, 0);
  for (uint32_t i = 1; i < members; i++) {
    uint8_t *m = orlop_a_member(d, i);
    if (orlop_u32(m + ORLOP_A_LOAD) < orlop_u32(best + ORLOP_A_LOAD)) best = m; /* the first wins a tie */
  }
  return best;
}

ORLOP_EXPORT(on_tick) void on_tick(void) {
  uint8_t *d = orlop_arena(CAPACITY + 4), *state = d + CAPACITY;
  if (!d || !host_get_assignment_data(d, CAPACITY)) return;
  uint32_t tasks = orlop_a_tasks(d), members = orlop_a_members(d);
  if (!tasks || !members) return;
  for (uint32_t i = 0; i < tasks; i++) {
    uint8_t *task = orlop_a_task(d, i);
    if (task[ORLOP_A_BLOCKED]) continue;
    uint8_t *who = least_loaded(d, members);
    host_emit_assignment(task, orlop_field_len(task, ORLOP_ID), who, orlop_field_len(who, ORLOP_ID));
    orlop_put_u32(who + ORLOP_A_LOAD, orlop_u32(who + ORLOP_A_LOAD) + 1);
  }
  orlop_put_u32(state, (uint32_t)host_get_now());
  host_set_state(state, 4);
}
