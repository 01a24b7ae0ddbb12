/* Writes its standard input backwards, code point by code point; traps, without any output, on input that is not UTF-8. */
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

/* Bytes of the well-formed UTF-8 sequence at s (Unicode table 3-7), 0 if there is none. */
static size_t width(const uint8_t *s, const uint8_t *end) {
  uint8_t b = s[0], lo = 0x80, hi = 0xBF;
  size_t n = b < 0x80 ? 1 : b < 0xC2 ? 0 : b < 0xE0 ? 2 : b < 0xF0 ? 3 : b < 0xF5 ? 4 : 0;
  if (b == 0xE0) lo = 0xA0;
  else if (b == 0xED) hi = 0x9F;
  else if (b == 0xF0) lo = 0x90;
  else if (b == 0xF4) hi = 0x8F;
  if (n == 0 || (size_t)(end - s) < n) return 0;
  for (size_t i = 1; i < n; i++, lo = 0x80, hi = 0xBF)
    if (s[i] < lo || s[i] > hi) return 0;
  return n;
}

int main(void) {
  size_t len = 0, cap = 65536;
  ssize_t got = 0;
  uint8_t *in = malloc(cap);
  while (in && (got = read(0, in + len, cap - len)) > 0)
    if ((len += (size_t)got) == cap) in = realloc(in, cap *= 2);
  uint8_t *out = malloc(len ? len : 1);
  if (!in || !out || got < 0) return 1;
  for (size_t i = 0, o = len; i < len;) {
    size_t n = width(in + i, in + len);
    if (n == 0) __builtin_trap();
    o -= n;
    for (size_t k = 0; k < n; k++) out[o + k] = in[i++];
  }
  for (size_t done = 0; done < len;) {
    ssize_t n = write(1, out + done, len - done);
    if (n < 0) return 1;
    done += (size_t)n;
  }
  return 0;
}
