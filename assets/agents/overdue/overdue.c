/* overdue: makes a task urgent once it is due. Make of it what you want: orlop_agent.h explains every word. */
#include "orlop_agent.h"

enum { ROOM = 6 << 20 }; /* bytes for all tasks of the room; what does not fit is told in the agent's diagnostics */

/* Called once when the agent starts, and on a fresh instance after a failure. */
ORLOP_EXPORT(init) void init(void) { orlop_say("watching due dates"); }

/* Called for every change in the room that this agent did not make; host_get_event has it. */
ORLOP_EXPORT(on_task_event) void on_task_event(void) {}

/* Called every 30 seconds. */
ORLOP_EXPORT(on_tick) void on_tick(void) {
  uint8_t *room = orlop_arena(ROOM);
  int32_t n = room ? host_get_tasks(room, ROOM) : 0;
  int64_t now = host_get_now();
  orlop_in r = orlop_read(room, n);
  orlop_task t;
  orlop_next(&r); /* the [ of the list */
  while (orlop_next_task(&r, &t))
    if (t.status != ORLOP_COMPLETED && !t.urgent && t.due && t.due <= now) host_emit_urgency(t.id.s, t.id.n);
}
