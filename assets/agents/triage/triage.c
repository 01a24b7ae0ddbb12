/* Gives tasks to members, or makes them urgent, by what their titles say.
 *
 * The rules are the description of the task `triage-rules`, one a line: `*outage* -> urgent, @ann`. They are compiled into the state, so
 * that an event needs nothing else. The state also remembers, by hash, which tasks were looked at under which title and rules: a rule
 * acts once, and whoever changes its outcome has the last word. */
#include "orlop_agent.h"

enum { TASKS = 6 << 20, RULES = 1 << 16, LOOKED_AT = 1 << 15, MEMBERS = 1 << 18, TITLE = 8192, EVENT = 4096, EMISSIONS = 64 };
enum { VERSION = 1, STEPS = 20000000 }; /* steps of matching in one call: what is left over waits for the next */
enum { URGENT = 1, ASSIGN = 2 };

typedef struct {
  uint32_t version, rules_n; /* rules_n is a multiple of 8; the hashes of what was looked at follow the rules */
  uint64_t source;           /* hash of the text that the rules were compiled from */
  uint8_t rest[RULES + 8 * LOOKED_AT];
} memory;

enum { HEAD = 16, RULE = 6 }; /* a rule: flags, line (2), length of pattern (2), length of name (1), pattern, name */

typedef struct {
  memory was, is;
  orlop_index known;
  int32_t size, members_n; /* of the state as it was; -1 until the members were asked for */
  uint32_t emitted, steps, full;
  _Alignas(8) uint8_t index[16 * LOOKED_AT];
  uint8_t event[EVENT], title[TITLE], members[MEMBERS], tasks[TASKS];
} work;

/* --- the state -------------------------------------------------------------------------------------------------------------------------- */

/* Whether the rules are whole: every length stays inside. */
static int sound(const memory *m, int32_t n) {
  uint32_t at = 0;
  if (n < HEAD || m->version != VERSION || m->rules_n > RULES || m->rules_n % 8 || (uint32_t)n < HEAD + m->rules_n) return 0;
  while (at + RULE <= m->rules_n && m->rest[at]) {
    const uint8_t *rule = m->rest + at;
    at += RULE + (uint32_t)(rule[3] | rule[4] << 8) + rule[5];
  }
  return at <= m->rules_n && ((uint32_t)n - HEAD - m->rules_n) % 8 == 0;
}

static void load(work *w) {
  w->size = host_get_state(&w->was, sizeof(memory));
  if (!sound(&w->was, w->size)) w->was.rules_n = 0, w->was.source = 0, w->size = 0;
  w->known = orlop_index_at(w->index, LOOKED_AT);
  for (int32_t at = HEAD + (int32_t)w->was.rules_n; at + 8 <= w->size; at += 8)
    orlop_index_add(&w->known, *(const uint64_t *)((const uint8_t *)&w->was + at));
  for (uint32_t i = 0; i < w->was.rules_n; i++) w->is.rest[i] = w->was.rest[i];
  w->is.version = VERSION, w->is.rules_n = w->was.rules_n, w->is.source = w->was.source;
  w->members_n = -1;
  w->emitted = w->steps = w->full = 0;
}

static void store(work *w, const uint64_t *looked_at, uint32_t count) {
  uint64_t *to = (uint64_t *)(w->is.rest + w->is.rules_n);
  for (uint32_t i = 0; i < count; i++) to[i] = looked_at[i];
  const uint8_t *was = (const uint8_t *)&w->was, *is = (const uint8_t *)&w->is;
  int32_t size = HEAD + (int32_t)w->is.rules_n + 8 * (int32_t)count, i = 0;
  while (i < size && was[i] == is[i]) i++;
  if (i < size || size != w->size) host_set_state(is, size);
}

/* Whether there is a state at all: without one a rule would act again and again. */
static int remembers(work *w) {
  if (w->size) return 1;
  host_set_state(&w->is, HEAD);
  return host_get_state(&w->was, HEAD) == HEAD;
}

/* --- compiling -------------------------------------------------------------------------------------------------------------------------- */

static uint8_t lower(uint8_t c) { return c >= 'A' && c <= 'Z' ? c | 32 : c; }

typedef struct {
  const uint8_t *s;
  int32_t n;
} text;

static text trimmed(const uint8_t *s, int32_t n) {
  while (n && *s <= ' ') s++, n--;
  while (n && s[n - 1] <= ' ') n--;
  return (text){s, n};
}

static int same(text a, const char *word) {
  int32_t i = 0;
  while (i < a.n && word[i] && lower(a.s[i]) == (uint8_t)word[i]) i++;
  return i == a.n && !word[i];
}

static void complain(int32_t line, const char *why) {
  uint8_t words[160];
  orlop_out o = {words, 0, sizeof words};
  orlop_raw(&o, "triage-rules, line ");
  orlop_int(&o, line);
  orlop_raw(&o, ": ");
  orlop_raw(&o, why);
  if (orlop_ok(&o)) host_log(o.p, o.n);
}

/* `urgent`, `@name`, or both with a comma between them; what is wrong with it, or NULL. */
static const char *read_actions(text all, uint8_t *flags, text *who) {
  for (int32_t begin = 0, i = 0; i <= all.n; i++) {
    if (i < all.n && all.s[i] != ',') continue;
    text one = trimmed(all.s + begin, i - begin);
    begin = i + 1;
    if (same(one, "urgent")) *flags |= URGENT;
    else if (one.n > 1 && *one.s == '@' && !(*flags & ASSIGN) && one.n <= 256) *flags |= ASSIGN, *who = trimmed(one.s + 1, one.n - 1);
    else return "what follows -> is urgent, or @ and one member's name";
  }
  return NULL;
}

static void compile_line(work *w, uint32_t *end, int32_t number, text line) {
  int32_t arrow = 0;
  uint8_t flags = 0;
  text who = {0};
  if (!line.n || *line.s == '#') return;
  while (arrow + 1 < line.n && !(line.s[arrow] == '-' && line.s[arrow + 1] == '>')) arrow++;
  if (arrow + 1 >= line.n) return complain(number, "no -> in it");
  text pattern = trimmed(line.s, arrow);
  const char *wrong = read_actions(trimmed(line.s + arrow + 2, line.n - arrow - 2), &flags, &who);
  if (!pattern.n || pattern.n > 4096) wrong = "before -> stands what the title is to be, such as *outage*";
  if (wrong) return complain(number, wrong);
  uint32_t size = RULE + (uint32_t)pattern.n + (uint32_t)who.n;
  if (*end + size > RULES - 8) return complain(number, "the rules are too long: this one is left out");
  uint8_t *to = w->is.rest + *end;
  to[0] = flags, to[1] = (uint8_t)number, to[2] = (uint8_t)(number >> 8);
  to[3] = (uint8_t)pattern.n, to[4] = (uint8_t)(pattern.n >> 8), to[5] = (uint8_t)who.n;
  for (int32_t i = 0; i < pattern.n; i++) to[RULE + i] = lower(pattern.s[i]);
  for (int32_t i = 0; i < who.n; i++) to[RULE + pattern.n + i] = who.s[i];
  *end += size;
}

/* Lines end with a line break or a semicolon, so that rules can be typed in one line too. The members' place is free here. */
static void compile(work *w, int32_t n) {
  orlop_in told = orlop_setting(w->tasks, n, "triage-rules");
  uint64_t source = told.s ? orlop_hash(ORLOP_HASH, told.s, told.n) : 0;
  uint32_t end = 0;
  if (source == w->was.source && w->size) return;
  if (told.n > MEMBERS) orlop_say("triage-rules: longer than 256 KiB, and left alone"), told.n = 0;
  int32_t size = told.n ? orlop_plain(&told, w->members) : 0;
  for (int32_t begin = 0, i = 0, number = 1; i <= size; i++) {
    if (i < size && w->members[i] != '\n' && w->members[i] != ';') continue;
    compile_line(w, &end, number, trimmed(w->members + begin, i - begin));
    number += i < size && w->members[i] == '\n';
    begin = i + 1;
  }
  while (end % 8) w->is.rest[end++] = 0;
  w->is.rules_n = end, w->is.source = source;
  orlop_say(!told.s ? "no task is called triage-rules: nothing to do" : end ? "new rules" : "triage-rules holds no rule");
}

/* --- acting ----------------------------------------------------------------------------------------------------------------------------- */

/* `*` stands for any text; the pattern is lower-case already. */
static int matches(work *w, const uint8_t *pattern, int32_t m, const uint8_t *title, int32_t n) {
  int32_t p = 0, t = 0, star = -1, from = 0;
  while (t < n) {
    w->steps++;
    if (p < m && pattern[p] == '*') star = p++, from = t;
    else if (p < m && pattern[p] == lower(title[t])) p++, t++;
    else if (star < 0) return 0;
    else p = star + 1, t = ++from;
  }
  while (p < m && pattern[p] == '*') p++;
  return p == m;
}

static int is_name(const uint8_t *who, int32_t n, const orlop_in *name) {
  uint8_t plain[512];
  if (name->n > (int32_t)sizeof plain || orlop_plain(name, plain) != n) return 0;
  for (int32_t i = 0; i < n; i++)
    if (lower(plain[i]) != lower(who[i])) return 0;
  return 1;
}

/* The key of the one member of this name, or whose key begins with it; empty when nobody is meant, or several. */
static orlop_in member(work *w, const uint8_t *who, int32_t n) {
  orlop_in found = {0};
  if (w->members_n < 0) w->members_n = host_get_members(w->members, MEMBERS);
  orlop_in r = orlop_read(w->members, w->members_n);
  orlop_next(&r);
  while (orlop_next(&r) == '{') {
    orlop_in key = {0};
    int fits = 0;
    while (orlop_next(&r) == 's') {
      int is_key = orlop_is(&r, "identityKey"), is_display = orlop_is(&r, "displayName");
      orlop_in v = r;
      orlop_skip(&r);
      if (orlop_next(&v) != 's') continue;
      if (is_display) fits |= is_name(who, n, &v);
      if (is_key) {
        int32_t i = 0;
        while (i < n && i < v.n && v.s[i] == who[i]) i++;
        key = v, fits |= i == n && n >= 4;
      }
    }
    if (!fits || !key.n) continue;
    if (found.n) return (orlop_in){0};
    found = key;
  }
  return found;
}

static void emit(work *w, const char *type, const orlop_task *t, const char *key, const orlop_in *value) {
  orlop_out o = {w->event, 0, EVENT};
  orlop_raw(&o, "{\"type\":\"");
  orlop_raw(&o, type);
  orlop_raw(&o, "\",\"taskId\":");
  orlop_copy(&o, &t->id);
  orlop_raw(&o, ",\"task\":{\"");
  orlop_raw(&o, key);
  orlop_raw(&o, "\":");
  if (value) orlop_copy(&o, value);
  else orlop_raw(&o, "true");
  orlop_raw(&o, "}}");
  if (!orlop_ok(&o)) return;
  host_emit_event(o.p, o.n);
  w->emitted++;
}

static void act(work *w, const uint8_t *rule, const orlop_task *t) {
  int32_t pattern = rule[3] | rule[4] << 8;
  if (rule[0] & URGENT && !t->urgent) emit(w, "task_urgency_changed", t, "urgent", NULL);
  if (!(rule[0] & ASSIGN) || t->assignee.n) return;
  orlop_in who = member(w, rule + RULE + pattern, rule[5]);
  if (who.n) emit(w, "task_assigned", t, "assignee", &who);
  else complain(rule[1] | rule[2] << 8, "no member, or more than one, is called so");
}

static uint64_t sight(const work *w, const orlop_task *t) {
  uint64_t h = orlop_hash(ORLOP_HASH ^ w->is.source, t->id.s, t->id.n);
  return orlop_hash(orlop_hash(h, (const uint8_t *)"", 1), t->title.s, t->title.n);
}

/* The first rule that fits decides. */
static void look_at(work *w, const orlop_task *t) {
  int32_t n = t->title.n <= TITLE ? orlop_plain(&t->title, w->title) : 0;
  for (uint32_t at = 0; at + RULE <= w->is.rules_n && w->is.rest[at];) {
    const uint8_t *rule = w->is.rest + at;
    int32_t pattern = rule[3] | rule[4] << 8;
    if (matches(w, rule + RULE, pattern, w->title, n)) return act(w, rule, t);
    at += RULE + (uint32_t)pattern + rule[5];
  }
}

static int concerns_us(const orlop_task *t) {
  return t->id.n && t->status != ORLOP_COMPLETED && !orlop_by_agent(t) && !orlop_is_setting(t);
}

static int spent(const work *w) { return w->emitted > EMISSIONS - 2 || w->steps > STEPS; }

ORLOP_EXPORT(init) void init(void) {}

/* A new task is looked at at once; everything else waits for the tick. */
ORLOP_EXPORT(on_task_event) void on_task_event(void) {
  work *w = (work *)orlop_arena(sizeof(work));
  int32_t n = w ? host_get_event(w->tasks, TASKS) : 0;
  if (!n) return;
  orlop_in r = orlop_read(w->tasks, n), id = {0}, actor = {0}, payload = {0};
  int created = 0;
  orlop_next(&r);
  while (orlop_next(&r) == 's') {
    orlop_in key = r, v = r;
    orlop_skip(&r);
    if (orlop_is(&key, "task")) { payload = v; continue; }
    if (orlop_next(&v) != 's') continue;
    if (orlop_is(&key, "taskId")) id = v;
    else if (orlop_is(&key, "actorId")) actor = v;
    else if (orlop_is(&key, "type")) created = orlop_is(&v, "task_created") || orlop_is(&v, "subtask_created");
  }
  orlop_task t;
  if (!created || !payload.at || !orlop_next_task(&payload, &t)) return;
  t.id = id, t.created_by = actor;
  load(w);
  uint64_t seen = sight(w, &t);
  if (!w->is.rules_n || !concerns_us(&t) || w->known.n == LOOKED_AT || orlop_index_find(&w->known, seen) != ORLOP_NONE) return;
  look_at(w, &t);
  orlop_index_add(&w->known, seen);
  store(w, w->known.keys, w->known.n);
}

ORLOP_EXPORT(on_tick) void on_tick(void) {
  work *w = (work *)orlop_arena(sizeof(work));
  int32_t n = w ? host_get_tasks(w->tasks, TASKS) : 0;
  if (!n) {
    orlop_say("nothing done: the tasks are not granted, or are more than 6 MiB");
    return;
  }
  load(w);
  if (!remembers(w)) {
    orlop_say("nothing done: persist_state is not granted");
    return;
  }
  compile(w, n);
  uint64_t *looked_at = (uint64_t *)(w->is.rest + w->is.rules_n);
  uint32_t count = 0;
  orlop_in r = orlop_read(w->tasks, n);
  orlop_task t;
  orlop_next(&r);
  while (w->is.rules_n && orlop_next_task(&r, &t)) {
    if (!concerns_us(&t)) continue;
    uint64_t seen = sight(w, &t);
    int known = orlop_index_find(&w->known, seen) != ORLOP_NONE;
    if (!known && spent(w)) continue;
    if (count == LOOKED_AT) {
      w->full = 1;
      break;
    }
    if (!known) look_at(w, &t);
    looked_at[count++] = seen;
  }
  if (w->full) orlop_say("more than 32768 open tasks: the others are left alone");
  store(w, looked_at, count);
}
