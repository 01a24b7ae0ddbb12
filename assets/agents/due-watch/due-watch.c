/* Makes tasks urgent some time before they are due, and takes its own marks back when the date moves away.
 *
 * The state: how long before, and for each task that it marked, or that somebody decided about after it did, the date that held then.
 * Tasks are remembered by the hash of their id. */
#include "orlop_agent.h"

enum { TASKS = 6 << 20, MARKS = 4096, EVENT = 2048, EMISSIONS = 64, VERSION = 1, TWO_HOURS = 7200, YEAR = 366 * 86400 };

enum { ASKED = 1, /* we said it is urgent, and have not seen it so yet */
       OURS,      /* it is urgent because of us */
       THEIRS };  /* somebody else decided after us: left alone until its date moves */

typedef struct {
  uint64_t task;
  int64_t due;
  uint64_t kind;
} mark;

typedef struct {
  uint32_t version, before_s;
  mark marks[MARKS];
} memory;

typedef struct {
  memory was, is;
  uint32_t n, emitted, full;
  int32_t size; /* of the state as it was */
  uint64_t complained; /* the settings that were found unreadable */
  uint8_t event[EVENT], index[16 * MARKS], tasks[TASKS];
} work;

/* The state as it was; a state that is not ours counts as none. */
static orlop_index load(work *w) {
  int32_t n = w->size = host_get_state(&w->was, sizeof(memory)), head = 2 * sizeof(uint32_t);
  uint32_t marks = n > head && (n - head) % (int32_t)sizeof(mark) == 0 ? (uint32_t)(n - head) / sizeof(mark) : 0;
  if (n < head || w->was.version != VERSION) marks = 0, w->was.before_s = TWO_HOURS;
  orlop_index at = orlop_index_at(w->index, MARKS);
  for (uint32_t i = 0; i < marks; i++) {
    w->was.marks[at.n] = w->was.marks[i];
    orlop_index_add(&at, w->was.marks[i].task);
  }
  w->n = w->emitted = w->full = 0;
  w->is.version = VERSION, w->is.before_s = w->was.before_s;
  return at;
}

static void store(const work *w) {
  const uint8_t *was = (const uint8_t *)&w->was, *is = (const uint8_t *)&w->is;
  int32_t size = (int32_t)(2 * sizeof(uint32_t) + w->n * sizeof(mark)), i = 0;
  while (i < size && was[i] == is[i]) i++;
  if (i < size || size != w->size) host_set_state(is, size);
}

/* Whether there is a state at all: without one a mark that somebody took back would come again and again. */
static int remembers(work *w) {
  if (w->size) return 1;
  host_set_state(&w->is, 2 * sizeof(uint32_t));
  return host_get_state(&w->was, sizeof(memory)) > 0;
}

static int keep(work *w, uint64_t task, int64_t due, uint64_t kind) {
  if (w->n == MARKS) return !(w->full = 1);
  w->is.marks[w->n++] = (mark){task, due, kind};
  return 1;
}

/* False when this call may say no more: the next one does. */
static int say(work *w, const orlop_task *t, int urgent) {
  orlop_out o = {w->event, 0, EVENT};
  if (w->emitted == EMISSIONS) return 0;
  orlop_raw(&o, "{\"type\":\"task_urgency_changed\",\"taskId\":");
  orlop_copy(&o, &t->id);
  orlop_raw(&o, urgent ? ",\"task\":{\"urgent\":true}}" : ",\"task\":{\"urgent\":false}}");
  if (!orlop_ok(&o)) return 0;
  host_emit_event(o.p, o.n);
  w->emitted++;
  return 1;
}

static void make_urgent(work *w, const orlop_task *t, uint64_t id) {
  if (keep(w, id, t->due, ASKED) && !say(w, t, 1)) w->n--;
}

static void watch(work *w, const orlop_task *t, const orlop_index *at, int64_t now) {
  uint64_t id = orlop_hash(ORLOP_HASH, t->id.s, t->id.n);
  int32_t place = orlop_index_find(at, id);
  int soon = t->due > 0 && t->due - now <= (int64_t)w->is.before_s * 1000;
  if (t->status == ORLOP_COMPLETED || !t->id.n) return;
  if (place == ORLOP_NONE) {
    if (soon && !t->urgent) make_urgent(w, t, id);
    return;
  }
  const mark *old = &w->was.marks[place];
  int moved = old->due != t->due;
  if (old->kind == THEIRS) {
    if (!moved) keep(w, id, t->due, THEIRS);
    else if (soon && !t->urgent) make_urgent(w, t, id);
  } else if (!soon) {
    if (t->urgent) say(w, t, 0), keep(w, id, old->due, old->kind); /* remembered until it is seen not urgent */
  } else if (t->urgent) {
    keep(w, id, t->due, OURS);
  } else if (moved || old->kind == ASKED) {
    make_urgent(w, t, id);
  } else {
    keep(w, id, t->due, THEIRS);
  }
}

/* `within: 4h`, or `4h`: seconds, minutes, hours or days; 0 for anything else. */
static uint32_t duration(const uint8_t *s, int32_t n) {
  static const char word[] = "within:";
  int32_t i = 0, k = 0;
  while (i < n && s[i] <= ' ') i++;
  while (word[k] && i + k < n && (s[i + k] | 32) == (word[k] | 32)) k++;
  if (!word[k]) i += k;
  while (i < n && s[i] <= ' ') i++;
  int64_t v = 0;
  while (i < n && s[i] >= '0' && s[i] <= '9' && v < YEAR) v = v * 10 + (s[i++] - '0');
  while (i < n && s[i] == ' ') i++;
  uint8_t unit = i < n ? s[i++] | 32 : 0;
  v *= unit == 's' ? 1 : unit == 'm' ? 60 : unit == 'h' ? 3600 : unit == 'd' ? 86400 : 0;
  while (i < n && s[i] <= ' ') i++;
  return i == n && v > 0 && v <= YEAR ? (uint32_t)v : 0;
}

static void read_settings(work *w, int32_t n) {
  orlop_in told = orlop_setting(w->tasks, n, "due-watch-settings");
  if (!told.s) return;
  uint32_t before = told.n <= EVENT ? duration(w->event, orlop_plain(&told, w->event)) : 0;
  uint64_t text = orlop_hash(ORLOP_HASH, told.s, told.n);
  if (before) w->is.before_s = before;
  else if (w->complained != text) orlop_say("due-watch-settings: write how long before, such as within: 2h (s, m, h or d; a year at most)");
  w->complained = before ? 0 : text;
}

ORLOP_EXPORT(init) void init(void) {}

/* Whoever else says how urgent a task of ours is, has the last word. */
ORLOP_EXPORT(on_task_event) void on_task_event(void) {
  work *w = (work *)orlop_arena(sizeof(work));
  int32_t n = w ? host_get_event(w->tasks, TASKS) : 0;
  if (!n) return;
  orlop_in r = orlop_read(w->tasks, n), id = {0};
  int decided = 0;
  orlop_next(&r);
  while (orlop_next(&r) == 's') {
    if (orlop_is(&r, "taskId")) { orlop_next(&r); id = r; }
    else if (orlop_is(&r, "task")) {
      orlop_in v = r;
      orlop_skip(&r);
      orlop_next(&v);
      while (orlop_next(&v) == 's') {
        decided |= orlop_is(&v, "urgent");
        orlop_skip(&v);
      }
    } else orlop_skip(&r);
  }
  if (!decided || !id.n) return;
  orlop_index at = load(w);
  int32_t place = orlop_index_find(&at, orlop_hash(ORLOP_HASH, id.s, id.n));
  if (place == ORLOP_NONE || w->was.marks[place].kind == THEIRS) return;
  w->was.marks[place].kind = THEIRS;
  host_set_state(&w->was, (int32_t)(2 * sizeof(uint32_t) + at.n * sizeof(mark)));
}

ORLOP_EXPORT(on_tick) void on_tick(void) {
  work *w = (work *)orlop_arena(sizeof(work));
  int32_t n = w ? host_get_tasks(w->tasks, TASKS) : 0;
  if (!n) {
    orlop_say("nothing done: the tasks are not granted, or are more than 6 MiB");
    return;
  }
  orlop_index at = load(w);
  if (!remembers(w)) {
    orlop_say("nothing done: persist_state is not granted");
    return;
  }
  read_settings(w, n);
  orlop_in r = orlop_read(w->tasks, n);
  orlop_task t;
  int64_t now = host_get_now();
  orlop_next(&r);
  while (orlop_next_task(&r, &t)) watch(w, &t, &at, now);
  if (w->full) orlop_say("more than 4096 tasks are due at once: the others are left alone");
  store(w);
}
