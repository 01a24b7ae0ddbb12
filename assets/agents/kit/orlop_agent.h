/* The kit for agents in C: one header, no libc, nothing to link. Every line of it is explained in docs/reference/agent-abi.md.
 *
 * Build: orlop agents build FOLDER, where FOLDER holds this header, NAME.c and agent.toml (orlop agents new NAME makes all three).
 *
 * Memory: the stack at 0..8191 (it overflows into a trap), then data, then the arena, which grows up to 160 pages. A write through NULL
 * does not trap. Statics live as long as the instance; only what `host_set_state` was given survives a restart, a trap or a timeout. */
#ifndef ORLOP_AGENT_H
#define ORLOP_AGENT_H
#include <stddef.h>
#include <stdint.h>

/* --- exports: ORLOP_EXPORT(init) void init(void) { … }, likewise on_task_event and on_tick ------------------------------------------ */

#define ORLOP_EXPORT(n) __attribute__((export_name(#n)))

/* --- imports: a module imports exactly those that it calls --------------------------------------------------------------------------- */

#define ORLOP_IMPORT(n) __attribute__((import_module("env"), import_name(#n)))

/* Readers write at most `len` bytes and return how many; 0 means denied, no data, or too small a buffer. Nothing is ever cut. */
ORLOP_IMPORT(host_get_tasks) int32_t host_get_tasks(void *buf, int32_t len);                       /* read_tasks: JSON array */
ORLOP_IMPORT(host_get_members) int32_t host_get_members(void *buf, int32_t len);                   /* read_members: JSON array */
ORLOP_IMPORT(host_get_event) int32_t host_get_event(void *buf, int32_t len);                       /* JSON, inside on_task_event */
ORLOP_IMPORT(host_get_state) int32_t host_get_state(void *buf, int32_t len);                       /* persist_state */
ORLOP_IMPORT(host_get_assignment_data) int32_t host_get_assignment_data(void *buf, int32_t len);   /* read_tasks, read_members: layout A */
ORLOP_IMPORT(host_get_dependency_data) int32_t host_get_dependency_data(void *buf, int32_t len);   /* read_tasks: layout D */
ORLOP_IMPORT(host_get_now) int64_t host_get_now(void);                                             /* Unix time in milliseconds */
/* Writers return nothing; what is not permitted or not valid is dropped, with the reason in the agent's diagnostics. */
ORLOP_IMPORT(host_emit_event) void host_emit_event(const void *json, int32_t len);                 /* emit_events */
ORLOP_IMPORT(host_emit_assignment)
void host_emit_assignment(const void *task, int32_t task_len, const void *who, int32_t who_len);   /* emit_events, read_tasks */
ORLOP_IMPORT(host_emit_urgency) void host_emit_urgency(const void *task, int32_t len);             /* emit_events, read_tasks */
ORLOP_IMPORT(host_set_state) void host_set_state(const void *state, int32_t len);                  /* persist_state: at most 1 MiB */
ORLOP_IMPORT(host_log) void host_log(const void *text, int32_t len);                               /* one call is one line */

/* --- bytes: fields of the layouts are little-endian and not aligned ------------------------------------------------------------------ */

static inline uint32_t orlop_u32(const uint8_t *p) {
  return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}
static inline void orlop_put_u32(uint8_t *p, uint32_t v) {
  for (int i = 0; i < 4; i++) p[i] = (uint8_t)(v >> 8 * i);
}
/* Length of a zero-padded field of `cap` bytes. */
static inline int32_t orlop_field_len(const uint8_t *p, int32_t cap) {
  int32_t n = 0;
  while (n < cap && p[n]) n++;
  return n;
}

/* --- arena: one block behind the data, reused by every call; there is no free, and it begins as zeros ------------------------------- */

extern uint8_t __heap_base; /* its address counts */

/* `n` bytes, or NULL when the memory cannot grow so far. */
static inline uint8_t *orlop_arena(size_t n) {
  size_t end = (size_t)&__heap_base + n, have = __builtin_wasm_memory_size(0) << 16;
  if (end < n) return NULL;
  if (end > have && __builtin_wasm_memory_grow(0, (end - have + 65535) >> 16) == (size_t)-1) return NULL;
  return &__heap_base;
}

/* --- layouts: A from host_get_assignment_data, D from host_get_dependency_data ------------------------------------------------------- */

enum { ORLOP_ID = 36 }; /* bytes of an id field, zero-padded */
enum { ORLOP_A_BLOCKED = 36, ORLOP_A_LOAD = 36 };                              /* u8 of a task, u32 of a member */
enum { ORLOP_D_STATUS = 36, ORLOP_D_URGENT = 37, ORLOP_D_DEPENDENTS = 38 };    /* u8 each; status: 0 pending, 1 in progress, 2 completed */

static inline uint32_t orlop_a_tasks(const uint8_t *d) { return orlop_u32(d); }
static inline uint32_t orlop_a_members(const uint8_t *d) { return orlop_u32(d + 4); }
static inline uint8_t *orlop_a_task(uint8_t *d, uint32_t i) { return d + 8 + 37 * i; }
static inline uint8_t *orlop_a_member(uint8_t *d, uint32_t i) { return d + 8 + 37 * orlop_a_tasks(d) + 44 * i; }
static inline uint32_t orlop_d_tasks(const uint8_t *d) { return orlop_u32(d); }
static inline uint8_t *orlop_d_task(uint8_t *d, uint32_t i) { return d + 4 + 39 * i; }

/* --- JSON writer: counts past the end of its buffer but never writes there; ask orlop_ok before you use what it wrote ---------------- */

typedef struct {
  uint8_t *p;
  int32_t n, cap;
} orlop_out;

static inline int orlop_ok(const orlop_out *o) { return o->n <= o->cap; }
static inline void orlop_byte(orlop_out *o, uint8_t c) {
  if (o->n < o->cap) o->p[o->n] = c;
  o->n++;
}
static inline void orlop_bytes(orlop_out *o, const uint8_t *s, int32_t n) {
  for (int32_t i = 0; i < n; i++) orlop_byte(o, s[i]);
}
/* A C string as it is: for what is JSON already. */
static inline void orlop_raw(orlop_out *o, const char *s) {
  while (*s) orlop_byte(o, (uint8_t)*s++);
}
/* A JSON string with quotes and escapes; UTF-8 passes as it is. */
static inline void orlop_str(orlop_out *o, const uint8_t *s, int32_t n) {
  orlop_byte(o, '"');
  for (int32_t i = 0; i < n; i++) {
    uint8_t c = s[i];
    if (c < 0x20) {
      orlop_raw(o, "\\u00");
      orlop_byte(o, (uint8_t)('0' + (c >> 4)));
      orlop_byte(o, (uint8_t)"0123456789abcdef"[c & 15]);
      continue;
    }
    if (c == '"' || c == '\\') orlop_byte(o, '\\');
    orlop_byte(o, c);
  }
  orlop_byte(o, '"');
}
static inline void orlop_int(orlop_out *o, int64_t v) {
  uint8_t digits[20];
  int i = 0;
  uint64_t u = v < 0 ? -(uint64_t)v : (uint64_t)v;
  do digits[i++] = (uint8_t)('0' + u % 10);
  while (u /= 10);
  if (v < 0) orlop_byte(o, '-');
  while (i) orlop_byte(o, digits[--i]);
}

/* --- JSON reader: a pull tokenizer without allocation or recursion; it ends on any input --------------------------------------------- *
 *
 *   orlop_in r = orlop_read(d, n);
 *   orlop_next(&r);                                                   // the `[` of an array of tasks
 *   while (orlop_next(&r) == '{') {
 *     orlop_in id = {0}; int pending = 0;
 *     while (orlop_next(&r) == 's') {                                 // a key; every value must be consumed
 *       if (orlop_is(&r, "id")) { orlop_next(&r); id = r; }
 *       else if (orlop_is(&r, "status")) { orlop_next(&r); pending = orlop_is(&r, "pending"); }
 *       else orlop_skip(&r);
 *     }
 *     if (pending && id.n) host_emit_urgency(id.s, id.n);
 *   }
 *
 * orlop_next returns `{ } [ ]`, `s` for a string, `0` for a number, `t` `f` `n` for true, false and null, and -1 at the end and at
 * anything that is not JSON. `r.s` and `r.n` are then the text of the token: of a string without its quotes, its escapes kept. It does
 * not check the grammar: `,` and `:` are passed over like blanks. */

typedef struct {
  const uint8_t *s; /* text of the last token */
  int32_t n;
  const uint8_t *at, *end;
} orlop_in;

static inline orlop_in orlop_read(const uint8_t *d, int32_t n) {
  orlop_in r = {d, 0, d, d + n};
  return r;
}
static inline int orlop_next(orlop_in *r) {
  const uint8_t *p = r->at, *end = r->end;
  while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t' || *p == ',' || *p == ':')) p++;
  r->s = p, r->n = 0, r->at = end; /* unless a token is found, nothing follows */
  if (p >= end) return -1;
  int kind = *p;
  switch (kind) {
    case '{': case '}': case '[': case ']':
      p++;
      break;
    case '"':
      for (r->s = ++p; p < end && *p != '"'; p++)
        if (*p == '\\') p++;
      if (p >= end) return -1;
      r->n = (int32_t)(p - r->s), r->at = p + 1;
      return 's';
    case 't': case 'f': case 'n':
      while (p < end && *p >= 'a' && *p <= 'z') p++;
      break;
    default:
      if (kind != '-' && (kind < '0' || kind > '9')) return -1;
      kind = '0';
      while (p < end && ((*p >= '0' && *p <= '9') || *p == '-' || *p == '+' || *p == '.' || *p == 'e' || *p == 'E')) p++;
  }
  r->n = (int32_t)(p - r->s), r->at = p;
  return kind;
}
/* Whether the last token's text is exactly this. */
static inline int orlop_is(const orlop_in *r, const char *text) {
  for (int32_t i = 0; i < r->n; i++)
    if (!text[i] || r->s[i] != (uint8_t)text[i]) return 0;
  return !text[r->n];
}
/* Passes over what is left of the list or object whose bracket was just read. */
static inline void orlop_leave(orlop_in *r) {
  for (int32_t depth = 1; depth > 0;) {
    int t = orlop_next(r);
    if (t < 0) return;
    depth += (t == '{' || t == '[') - (t == '}' || t == ']');
  }
}
/* Passes over the next value, however deep. */
static inline void orlop_skip(orlop_in *r) {
  int t = orlop_next(r);
  if (t == '{' || t == '[') orlop_leave(r);
}
/* The value of a whole number; 0 for one with a fraction or an exponent. What is too large becomes the largest. */
static inline int64_t orlop_number(const orlop_in *r) {
  int64_t v = 0;
  int minus = r->n > 0 && r->s[0] == '-';
  for (int32_t i = minus; i < r->n; i++) {
    int digit = r->s[i] - '0';
    if (digit < 0 || digit > 9) return 0;
    v = v > (INT64_MAX - digit) / 10 ? INT64_MAX : v * 10 + digit;
  }
  return minus ? -v : v;
}
/* A string token as JSON again, with its quotes. */
static inline void orlop_copy(orlop_out *o, const orlop_in *r) {
  orlop_byte(o, '"');
  orlop_bytes(o, r->s, r->n);
  orlop_byte(o, '"');
}
static inline uint32_t orlop_hex4(const uint8_t *s) {
  uint32_t v = 0;
  for (int i = 0; i < 4; i++) {
    uint8_t c = s[i] | 32;
    v = v << 4 | (uint32_t)(c >= 'a' ? c - 'a' + 10 : c - '0') % 16;
  }
  return v;
}
/* A string token without its escapes, as UTF-8. `to` needs room for `r->n` bytes; returns how many it took. */
static inline int32_t orlop_plain(const orlop_in *r, uint8_t *to) {
  uint8_t *o = to;
  for (int32_t i = 0; i < r->n; i++) {
    uint8_t c = r->s[i];
    if (c != '\\' || i + 1 >= r->n) {
      *o++ = c;
      continue;
    }
    c = r->s[++i];
    if (c != 'u' || i + 4 >= r->n) {
      *o++ = c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c == 'b' ? '\b' : c == 'f' ? '\f' : c;
      continue;
    }
    uint32_t v = orlop_hex4(r->s + i + 1);
    i += 4;
    if (v >> 10 == 0xD800 >> 10 && i + 6 < r->n && r->s[i + 1] == '\\' && r->s[i + 2] == 'u') { /* the first half of two */
      v = 0x10000 + ((v & 0x3FF) << 10) + (orlop_hex4(r->s + i + 3) & 0x3FF);
      i += 6;
    }
    if (v < 0x80) *o++ = (uint8_t)v;
    else if (v < 0x800) *o++ = (uint8_t)(0xC0 | v >> 6), *o++ = (uint8_t)(0x80 | (v & 63));
    else if (v < 0x10000) *o++ = (uint8_t)(0xE0 | v >> 12), *o++ = (uint8_t)(0x80 | (v >> 6 & 63)), *o++ = (uint8_t)(0x80 | (v & 63));
    else {
      *o++ = (uint8_t)(0xF0 | v >> 18), *o++ = (uint8_t)(0x80 | (v >> 12 & 63));
      *o++ = (uint8_t)(0x80 | (v >> 6 & 63)), *o++ = (uint8_t)(0x80 | (v & 63));
    }
  }
  return (int32_t)(o - to);
}

/* --- tasks: one after another out of the JSON of host_get_tasks ----------------------------------------------------------------------- *
 *
 *   orlop_in r = orlop_read(d, n);
 *   orlop_task t;
 *   orlop_next(&r);                                                   // the `[`
 *   while (orlop_next_task(&r, &t))
 *     if (t.status != ORLOP_COMPLETED && t.due && t.due <= now) host_emit_urgency(t.id.s, t.id.n);
 *
 * A field that is absent, or of another type, is empty: `s` NULL and `n` 0, or 0. `blocked_by` stands behind its `[`:
 * for (orlop_in b = t.blocked_by; orlop_next(&b) == 's';) … */

enum { ORLOP_PENDING, ORLOP_IN_PROGRESS, ORLOP_COMPLETED };

typedef struct {
  orlop_in id, title, description, assignee, created_by, parent, blocked_by;
  int64_t created, updated, due; /* Unix time in milliseconds */
  int status, urgent;
} orlop_task;

static inline int orlop_next_task(orlop_in *r, orlop_task *t) {
  if (orlop_next(r) != '{') return 0;
  *t = (orlop_task){0};
  while (orlop_next(r) == 's') {
    orlop_in key = *r;
    int kind = orlop_next(r);
    orlop_in v = *r;
    if (kind == '{' || kind == '[') orlop_leave(r);
    switch (kind) {
      case 's':
        if (orlop_is(&key, "id")) t->id = v;
        else if (orlop_is(&key, "title")) t->title = v;
        else if (orlop_is(&key, "description")) t->description = v;
        else if (orlop_is(&key, "assignee")) t->assignee = v;
        else if (orlop_is(&key, "createdBy")) t->created_by = v;
        else if (orlop_is(&key, "parentId")) t->parent = v;
        else if (orlop_is(&key, "status"))
          t->status = orlop_is(&v, "completed") ? ORLOP_COMPLETED : orlop_is(&v, "in_progress") ? ORLOP_IN_PROGRESS : ORLOP_PENDING;
        break;
      case '0':
        if (orlop_is(&key, "dueAt")) t->due = orlop_number(&v);
        else if (orlop_is(&key, "createdAt")) t->created = orlop_number(&v);
        else if (orlop_is(&key, "updatedAt")) t->updated = orlop_number(&v);
        break;
      case 't':
        if (orlop_is(&key, "urgent")) t->urgent = 1;
        break;
      case '[':
        if (orlop_is(&key, "blockedBy")) t->blocked_by = v;
        break;
    }
  }
  return 1;
}
static inline int orlop_begins(const orlop_in *r, const char *text) {
  int32_t i = 0;
  while (text[i] && i < r->n && r->s[i] == (uint8_t)text[i]) i++;
  return !text[i];
}
/* Whether an agent made it. */
static inline int orlop_by_agent(const orlop_task *t) { return orlop_begins(&t->created_by, "agent:"); }
/* Whether it is there to tell agents something: its title ends with `-settings` or `-rules`. */
static inline int orlop_is_setting(const orlop_task *t) {
  orlop_in end = t->title;
  for (; end.n > 0 && *end.s != '-'; end.s++) end.n--;
  while (end.n > 0) { /* at a hyphen */
    if (orlop_is(&end, "-settings") || orlop_is(&end, "-rules")) return 1;
    for (end.s++, end.n--; end.n > 0 && *end.s != '-'; end.s++) end.n--;
  }
  return 0;
}
/* Whether a text occurs anywhere: saves reading all tasks where it does not. */
static inline int orlop_mentions(const uint8_t *d, int32_t n, const char *text) {
  for (int32_t at = 0; at < n; at++) {
    int32_t i = 0;
    if (d[at] != (uint8_t)text[0]) continue;
    while (text[i] && at + i < n && d[at + i] == (uint8_t)text[i]) i++;
    if (!text[i]) return 1;
  }
  return 0;
}
/* What people tell an agent: the description of the first task of this title that is not completed and that no agent made.
 * `s` is NULL when there is none. */
static inline orlop_in orlop_setting(const uint8_t *tasks, int32_t n, const char *title) {
  static const uint8_t nothing[1] = "";
  orlop_in r = orlop_read(tasks, n);
  orlop_task t;
  if (!orlop_mentions(tasks, n, title)) return (orlop_in){0};
  orlop_next(&r);
  while (orlop_next_task(&r, &t)) {
    if (t.status == ORLOP_COMPLETED || orlop_by_agent(&t) || !orlop_is(&t.title, title)) continue;
    if (!t.description.s) t.description.s = nothing;
    return t.description;
  }
  return (orlop_in){0};
}

/* --- log ------------------------------------------------------------------------------------------------------------------------------ */

static inline void orlop_say(const char *text) {
  int32_t n = 0;
  while (text[n]) n++;
  host_log(text, n);
}

/* --- index: where each of many 64-bit keys stands; for what an agent remembers about tasks ------------------------------------------- */

#define ORLOP_HASH 14695981039346656037u /* FNV-1a begins with it */

static inline uint64_t orlop_hash(uint64_t h, const uint8_t *s, int32_t n) {
  for (int32_t i = 0; i < n; i++) h = (h ^ s[i]) * 1099511628211u;
  return h;
}

typedef struct {
  uint64_t *keys; /* in the order in which they were added */
  uint32_t *slots, n, cap;
} orlop_index;

enum { ORLOP_NONE = -1 };

/* The bytes that an index of `cap` keys needs; `cap` is a power of two. */
static inline size_t orlop_index_size(uint32_t cap) { return 16 * (size_t)cap; }
static inline orlop_index orlop_index_at(void *area, uint32_t cap) {
  orlop_index x = {area, (uint32_t *)area + 2 * (size_t)cap, 0, cap};
  for (uint32_t i = 0; i < 2 * cap; i++) x.slots[i] = 0;
  return x;
}
static inline uint32_t orlop_index_slot(const orlop_index *x, uint64_t key) {
  uint32_t i = (uint32_t)(key ^ key >> 32) & (2 * x->cap - 1);
  while (x->slots[i] && x->keys[x->slots[i] - 1] != key) i = (i + 1) & (2 * x->cap - 1);
  return i;
}
/* The place of a key, or ORLOP_NONE. */
static inline int32_t orlop_index_find(const orlop_index *x, uint64_t key) {
  return (int32_t)x->slots[orlop_index_slot(x, key)] - 1;
}
/* The place of a key, which is added when it is new; ORLOP_NONE when there is no room. */
static inline int32_t orlop_index_add(orlop_index *x, uint64_t key) {
  uint32_t slot = orlop_index_slot(x, key);
  if (!x->slots[slot]) {
    if (x->n == x->cap) return ORLOP_NONE;
    x->keys[x->n] = key;
    x->slots[slot] = ++x->n;
  }
  return (int32_t)x->slots[slot] - 1;
}
#endif
