/* Fails on purpose in every tick, so that the breaker can be watched: by turns it reads outside its memory, calls itself without end and
 * executes `unreachable`. Nothing of a failed call is kept, so the turn is counted in time since the activation, whose `init` stored it:
 * the first, second and third tick fail in three ways, at intervals of 2 s as well as 30 s. Without the permission for a state the turn
 * goes by the clock. */
#include "orlop_agent.h"

enum { FAST_MS = 2000, SLOW_MS = 30000, JUST_MS = 100, WAYS = 3 };
enum { BEFORE = 0, NOW = 4, SIZE = 8 }; /* the state: start before this one, this start; u32, milliseconds modulo 2^32 */

/* A fresh instance that was made for this very tick has just stored its own start: then the one before is the activation. */
static uint32_t way(void) {
  uint8_t *state = orlop_arena(SIZE);
  uint32_t now = (uint32_t)host_get_now(), since = (uint32_t)(host_get_now() / FAST_MS % WAYS * FAST_MS);
  if (host_get_state(state, SIZE) == SIZE) {
    since = now - orlop_u32(state + NOW);
    if (since < FAST_MS / 2) since = now - orlop_u32(state + BEFORE);
  }
  uint32_t interval = since < SLOW_MS / 2 ? FAST_MS : SLOW_MS;
  return (since + interval / 2) / interval % WAYS;
}

static void say(const char *text) {
  int32_t n = 0;
  while (text[n]) n++;
  host_log(text, n);
}

/* Each call returns through the one before it and keeps nothing in linear memory: the engine's own stack runs out. */
static __attribute__((noinline)) uint32_t deeper(uint32_t n) {
  if (n == UINT32_MAX) return n;
  uint32_t below = deeper(n + 1);
  __asm__ volatile("" : "+r"(below));
  return below + n;
}

ORLOP_EXPORT(init) void init(void) {
  uint8_t *state = orlop_arena(SIZE);
  uint32_t now = (uint32_t)host_get_now();
  orlop_put_u32(state + BEFORE, host_get_state(state, SIZE) == SIZE ? orlop_u32(state + NOW) : now);
  orlop_put_u32(state + NOW, now);
  host_set_state(state, SIZE);
}

/* An event that finds a fresh instance succeeds, and would keep the start that its `init` has just stored: it takes that back. */
ORLOP_EXPORT(on_task_event) void on_task_event(void) {
  uint8_t *state = orlop_arena(SIZE);
  if (host_get_state(state, SIZE) != SIZE || (uint32_t)host_get_now() - orlop_u32(state + NOW) > JUST_MS) return;
  orlop_put_u32(state + NOW, orlop_u32(state + BEFORE));
  host_set_state(state, SIZE);
}

ORLOP_EXPORT(on_tick) void on_tick(void) {
  switch (way()) {
    case 0:
      say("failing on purpose: unreachable");
      __builtin_trap();
    case 1:
      say("failing on purpose: reading outside my memory");
      (void)*(volatile uint8_t *)0xFFFFFFF0u;
      break;
    default:
      say("failing on purpose: calling myself without end");
      deeper(0);
  }
}
