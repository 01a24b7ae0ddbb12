/* Keeps one task a day that sums the room up: counts, what is overdue or blocked, and who has how much.
 *
 * It is made in the first tick of a day, worded anew at most every five minutes and only when something changed, and completed when its
 * day is over or nothing is left to do. No state: the room itself says what was done. */
#include "orlop_agent.h"

enum { TASKS = 6 << 20, MEMBERS = 1 << 18, TEXT = 8192, EVENT = 16384, LISTED = 5, PEOPLE = 1 << 10, NAMED = 20, DAY_S = 86400 };
enum { PAUSE_MS = 300000 };

typedef struct {
  int32_t n;
  int32_t listed;
  orlop_out names; /* of the first few */
} list;

typedef struct {
  uint32_t pending, doing, done, nobody;
  list overdue, blocked;
} sums;

typedef struct {
  uint64_t complained;
  uint32_t load[PEOPLE];
  uint8_t people[16 * PEOPLE], names[2][TEXT], title[TEXT], old[2 * TEXT], text[TEXT], event[EVENT], members[MEMBERS], tasks[TASKS];
} work;

/* --- the day ---------------------------------------------------------------------------------------------------------------------------- */

static void two(orlop_out *o, int64_t v) {
  orlop_byte(o, (uint8_t)('0' + v / 10 % 10));
  orlop_byte(o, (uint8_t)('0' + v % 10));
}

/* The date of a day counted from 1970-01-01: years of 400 begin on the first of March. */
static void date(orlop_out *o, int64_t day) {
  day += 719468;
  int64_t era = day / 146097, in_era = day % 146097;
  int64_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
  int64_t in_year = in_era - (365 * year + year / 4 - year / 100), month = (5 * in_year + 2) / 153;
  int64_t number = year + era * 400 + (month >= 10);
  if (number < 1000) two(o, number / 100), two(o, number);
  else orlop_int(o, number);
  orlop_byte(o, '-');
  two(o, month < 10 ? month + 3 : month - 9);
  orlop_byte(o, '-');
  two(o, in_year - (153 * month + 2) / 5 + 1);
}

/* `utc: +2` or `utc: -3:30` in minutes; anything else is no offset, and says so. */
static int offset(const uint8_t *s, int32_t n, int64_t *minutes) {
  static const char word[] = "utc:";
  int32_t i = 0, k = 0;
  int64_t hours = 0, rest = 0;
  while (i < n && s[i] <= ' ') i++;
  while (word[k] && i < n && (s[i] | 32) == (word[k] | 32)) i++, k++;
  if (word[k]) return 0;
  while (i < n && s[i] == ' ') i++;
  int minus = i < n && s[i] == '-';
  if (i < n && (s[i] == '-' || s[i] == '+')) i++;
  int32_t digits = i;
  while (i < n && i < digits + 2 && s[i] >= '0' && s[i] <= '9') hours = hours * 10 + (s[i++] - '0');
  if (i == digits) return 0;
  if (i + 2 < n && s[i] == ':' && s[i + 1] >= '0' && s[i + 1] <= '5' && s[i + 2] >= '0' && s[i + 2] <= '9')
    rest = (s[i + 1] - '0') * 10 + (s[i + 2] - '0'), i += 3;
  while (i < n && s[i] <= ' ') i++;
  *minutes = (hours * 60 + rest) * (minus ? -1 : 1);
  return i == n && hours <= 14;
}

static int64_t today(work *w, int32_t n, int64_t now) {
  orlop_in told = orlop_setting(w->tasks, n, "digest-settings");
  int64_t minutes = 0;
  if (told.s) {
    int good = told.n <= TEXT && offset(w->text, orlop_plain(&told, w->text), &minutes);
    uint64_t text = orlop_hash(ORLOP_HASH, told.s, told.n);
    if (!good) minutes = 0;
    if (!good && w->complained != text) orlop_say("digest-settings: write the time zone, such as utc: +2 or utc: -3:30");
    w->complained = good ? 0 : text;
  }
  return (now / 1000 + minutes * 60) / DAY_S;
}

/* --- counting --------------------------------------------------------------------------------------------------------------------------- */

/* Text for a line: without what would break it, and never cut inside a character. */
static void line(orlop_out *o, const uint8_t *s, int32_t n, int32_t most) {
  int32_t end = n;
  if (n > most)
    for (end = most; end && (s[end] & 0xC0) == 0x80;) end--;
  for (int32_t i = 0; i < end; i++) orlop_byte(o, s[i] < ' ' || s[i] == 127 ? ' ' : s[i]);
  if (end < n) orlop_raw(o, "…");
}

static void put(work *w, list *l, const orlop_task *t) {
  if (l->n++ >= LISTED || t->title.n > TEXT) return;
  if (l->listed++) orlop_raw(&l->names, "; ");
  line(&l->names, w->title, orlop_plain(&t->title, w->title), 60);
}

static int is_digest(const orlop_task *t) { return orlop_by_agent(t) && orlop_begins(&t->id, "digest-") && t->id.n == 17; }
static int counts(const orlop_task *t) { return t->id.n && !is_digest(t) && !orlop_is_setting(t); }

static void count(work *w, sums *all, const orlop_task *t, const orlop_index *open, orlop_index *people, int64_t now) {
  if (!counts(t)) return;
  if (t->status == ORLOP_COMPLETED) {
    all->done++;
    return;
  }
  *(t->status == ORLOP_PENDING ? &all->pending : &all->doing) += 1;
  if (t->due > 0 && t->due < now) put(w, &all->overdue, t);
  int waits = 0;
  for (orlop_in b = t->blocked_by; b.at && !waits && orlop_next(&b) == 's';)
    waits = orlop_index_find(open, orlop_hash(ORLOP_HASH, b.s, b.n)) != ORLOP_NONE;
  if (waits) put(w, &all->blocked, t);
  int32_t who = t->assignee.n ? orlop_index_add(people, orlop_hash(ORLOP_HASH, t->assignee.s, t->assignee.n)) : ORLOP_NONE;
  if (who == ORLOP_NONE) all->nobody++;
  else w->load[who]++;
}

/* --- wording ---------------------------------------------------------------------------------------------------------------------------- */

static void number(orlop_out *o, int64_t n, const char *what) {
  orlop_int(o, n);
  orlop_raw(o, what);
}

static void word_list(orlop_out *o, const char *name, const list *l) {
  if (!l->n) return;
  orlop_raw(o, name);
  number(o, l->n, "): ");
  orlop_bytes(o, l->names.p, l->names.n);
  if (l->n > l->listed) orlop_raw(o, " and "), number(o, l->n - l->listed, " more");
  orlop_byte(o, '\n');
}

/* Members in their order, then those who are not members any more, then what nobody has. */
static void word_people(work *w, orlop_out *o, const sums *all, const orlop_index *people) {
  orlop_in r = orlop_read(w->members, host_get_members(w->members, MEMBERS));
  uint32_t named = 0, others = all->nobody;
  orlop_raw(o, "Who has how much: ");
  orlop_next(&r);
  while (orlop_next(&r) == '{') {
    orlop_in key = {0}, name = {0};
    while (orlop_next(&r) == 's') {
      orlop_in k = r, v = r;
      orlop_skip(&r);
      if (orlop_next(&v) != 's') continue;
      if (orlop_is(&k, "identityKey")) key = v;
      else if (orlop_is(&k, "displayName")) name = v;
    }
    int32_t at = orlop_index_find(people, orlop_hash(ORLOP_HASH, key.s, key.n));
    if (!key.n || at == ORLOP_NONE || !w->load[at] || named == NAMED || name.n > TEXT) continue;
    if (named++) orlop_raw(o, ", ");
    line(o, w->title, orlop_plain(name.n ? &name : &key, w->title), 128);
    orlop_byte(o, ' ');
    number(o, w->load[at], "");
    w->load[at] = 0;
  }
  uint32_t rest = 0;
  for (uint32_t i = 0; i < people->n; i++) rest += w->load[i];
  if (rest) orlop_raw(o, named++ ? ", others " : "others "), number(o, rest, "");
  if (others || !named) orlop_raw(o, named ? ", nobody " : "nobody "), number(o, others, "");
}

static void emit(work *w, const char *type, const orlop_out *id, const orlop_out *title, const orlop_out *text, const char *status) {
  orlop_out o = {w->event, 0, EVENT};
  const char *comma = "";
  orlop_raw(&o, "{\"type\":\"");
  orlop_raw(&o, type);
  orlop_raw(&o, "\",\"taskId\":");
  orlop_str(&o, id->p, id->n);
  orlop_raw(&o, ",\"task\":{");
  if (title) {
    orlop_raw(&o, "\"title\":");
    orlop_str(&o, title->p, title->n);
    orlop_raw(&o, ",\"description\":");
    orlop_str(&o, text->p, text->n);
    comma = ",";
  }
  if (status) orlop_raw(&o, comma), orlop_raw(&o, "\"status\":\""), orlop_raw(&o, status), orlop_raw(&o, "\"");
  orlop_raw(&o, "}}");
  if (orlop_ok(&o)) host_emit_event(o.p, o.n);
}

static int says(work *w, const orlop_in *token, const orlop_out *text) {
  int32_t n = token->n <= 2 * TEXT ? orlop_plain(token, w->old) : -1, i = 0;
  while (i < n && i < text->n && w->old[i] == text->p[i]) i++;
  return n == text->n && i == n;
}

/* --- the task --------------------------------------------------------------------------------------------------------------------------- */

static void settle(work *w, const orlop_task *mine, const orlop_out *id, const orlop_out *title, const orlop_out *text, int open, int64_t now) {
  if (!mine->id.n) {
    if (open) emit(w, "task_created", id, title, text, "in_progress");
    return;
  }
  if (!is_digest(mine)) return; /* somebody made a task of this name: it is theirs */
  const char *status = !open && mine->status != ORLOP_COMPLETED ? "completed" : NULL;
  int same = says(w, &mine->title, title) && says(w, &mine->description, text);
  if (status || (!same && now - mine->updated >= PAUSE_MS)) emit(w, "task_status_changed", id, same ? NULL : title, text, status);
}

/* The index of open tasks lies behind the JSON, as large as the room needs. */
static uint32_t power_of_two(uint32_t n) {
  uint32_t cap = 64;
  while (cap < n) cap *= 2;
  return cap;
}

ORLOP_EXPORT(init) void init(void) {}

ORLOP_EXPORT(on_task_event) void on_task_event(void) {}

ORLOP_EXPORT(on_tick) void on_tick(void) {
  work *w = (work *)orlop_arena(sizeof(work));
  int32_t n = w ? host_get_tasks(w->tasks, TASKS) : 0;
  uint32_t cap = power_of_two((uint32_t)n / 64), before = ((uint32_t)n + 7) & ~7u;
  if (!n || !orlop_arena(sizeof(work) - TASKS + before + orlop_index_size(cap))) {
    orlop_say("nothing done: the tasks are not granted, or are too many");
    return;
  }
  int64_t now = host_get_now();
  uint8_t id_bytes[32];
  orlop_out id = {id_bytes, 0, sizeof id_bytes}, title = {w->names[0], 0, 0}, text = {w->text, 0, TEXT};
  orlop_raw(&id, "digest-");
  date(&id, today(w, n, now));
  if (id.n != 17) return; /* beyond the year 9999 */
  orlop_index open = orlop_index_at(w->tasks + before, cap), people = orlop_index_at(w->people, PEOPLE);
  for (uint32_t i = 0; i < PEOPLE; i++) w->load[i] = 0;
  orlop_task t, mine = {0};
  orlop_in r = orlop_read(w->tasks, n);
  int32_t closed = 0;
  orlop_next(&r);
  while (orlop_next_task(&r, &t)) {
    if (t.status != ORLOP_COMPLETED) orlop_index_add(&open, orlop_hash(ORLOP_HASH, t.id.s, t.id.n));
    int32_t same = 0;
    while (same < id.n && same < t.id.n && t.id.s[same] == id.p[same]) same++;
    if (same == id.n && same == t.id.n) mine = t;
    else if (is_digest(&t) && t.status != ORLOP_COMPLETED && closed++ < 32) {
      orlop_out old = {(uint8_t *)t.id.s, t.id.n, t.id.n};
      emit(w, "task_status_changed", &old, NULL, NULL, "completed");
    }
  }
  sums all = {.overdue.names = {w->names[0], 0, TEXT}, .blocked.names = {w->names[1], 0, TEXT}};
  r = orlop_read(w->tasks, n);
  orlop_next(&r);
  while (orlop_next_task(&r, &t)) count(w, &all, &t, &open, &people, now);
  uint32_t left = all.pending + all.doing;
  number(&text, all.pending, " to do, ");
  number(&text, all.doing, " in progress, ");
  number(&text, all.done, " done\n");
  word_list(&text, "Overdue (", &all.overdue);
  word_list(&text, "Blocked (", &all.blocked);
  word_people(w, &text, &all, &people);
  uint8_t title_bytes[96];
  title = (orlop_out){title_bytes, 0, sizeof title_bytes};
  orlop_raw(&title, "Digest ");
  orlop_bytes(&title, id.p + 7, 10);
  orlop_raw(&title, ": ");
  number(&title, left, " open");
  if (all.overdue.n) orlop_raw(&title, ", "), number(&title, all.overdue.n, " overdue");
  if (all.blocked.n) orlop_raw(&title, ", "), number(&title, all.blocked.n, " blocked");
  if (orlop_ok(&title) && orlop_ok(&text)) settle(w, &mine, &id, &title, &text, left > 0, now);
}
