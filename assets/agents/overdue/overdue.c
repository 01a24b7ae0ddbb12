/* Makes a task urgent once it is due. The agent of the tutorial. */
#include "orlop_agent.h"

enum { CAPACITY = 65536 };

static int64_t number(const orlop_in *r) {
  int64_t v = 0;
  for (int32_t i = 0; i < r->n && r->s[i] >= '0' && r->s[i] <= '9'; i++) v = v * 10 + (r->s[i] - '0');
  return v;
}

ORLOP_EXPORT(init) void init(void) { host_log("watching due dates", 18); }

ORLOP_EXPORT(on_task_event) void on_task_event(void) {}

ORLOP_EXPORT(on_tick) void on_tick(void) {
  uint8_t *d = orlop_arena(CAPACITY);
  int32_t n = d ? host_get_tasks(d, CAPACITY) : 0;
  int64_t now = host_get_now();
  orlop_in r = orlop_read(d, n);
  orlop_next(&r);
  while (orlop_next(&r) == '{') {
    orlop_in id = {0};
    int open = 1;
    int64_t due = 0;
    while (orlop_next(&r) == 's') {
      if (orlop_is(&r, "id")) { orlop_next(&r); id = r; }
      else if (orlop_is(&r, "dueAt")) { orlop_next(&r); due = number(&r); }
      else if (orlop_is(&r, "status")) { orlop_next(&r); open = !orlop_is(&r, "completed"); }
      else orlop_skip(&r);
    }
    if (open && due && due <= now) host_emit_urgency(id.s, id.n);
  }
}
