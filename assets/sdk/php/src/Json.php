<?php

declare(strict_types=1);

namespace Orlop;

/**
 * JSON, read strictly and written canonically.
 *
 * `json_decode` takes the last of two equal keys, turns large integers into floats and `{}` into `[]`; none of that may
 * happen to what is signed. Objects are `JsonObject` here, arrays lists.
 */
final class Json
{
    private const DEPTH_MAX = 64;
    private const WORDS = ['null' => null, 'true' => true, 'false' => false];
    private const ESCAPES = [
        '"' => '"', '\\' => '\\', '/' => '/', 'b' => "\x08", 'f' => "\f", 'n' => "\n", 'r' => "\r", 't' => "\t",
    ];
    private const SPACE = " \t\n\r";

    private static string $ends = '';

    private int $at = 0;

    private function __construct(private readonly string $source)
    {
    }

    /**
     * Reads JSON strictly: what is accepted means the same to every reader.
     *
     * @param string $raw UTF-8 without a byte order mark
     * @param int $limit bytes that are read at most
     * @return null|bool|int|string|list<mixed>|JsonObject
     * @throws RefusedException too long, not UTF-8, not JSON, a duplicate key, a fraction, an integer beyond
     *     ±(2^63 - 1), a lone surrogate, or nested deeper than 64
     */
    public static function decode(string $raw, int $limit = PHP_INT_MAX): mixed
    {
        if (strlen($raw) > $limit) {
            throw new RefusedException("larger than $limit bytes");
        }
        if (preg_match('//u', $raw) !== 1) {
            throw new RefusedException('not UTF-8');
        }
        $reader = new self($raw);
        $reader->space();
        $value = $reader->value(0);
        $reader->space();
        if ($reader->at < strlen($raw)) {
            $reader->refuse('something stands behind the document');
        }
        return $value;
    }

    /**
     * Canonical JSON: keys sorted by their UTF-8 bytes, no whitespace, UTF-8 unescaped, integers only.
     *
     * @param mixed $value null, booleans, integers, text, `JsonObject`, and PHP arrays: lists become arrays (also the
     *     empty one), others objects; an empty object is `new JsonObject()`
     * @throws RefusedException the value has no canonical form
     */
    public static function encode(mixed $value): string
    {
        return self::written($value, 0);
    }

    private static function written(mixed $value, int $depth): string
    {
        if ($depth > self::DEPTH_MAX) {
            throw new RefusedException('nested deeper than ' . self::DEPTH_MAX);
        }
        if ($value === null || is_bool($value)) {
            return var_export($value, true) === 'NULL' ? 'null' : var_export($value, true);
        }
        if (is_string($value)) {
            return self::text($value);
        }
        if (is_int($value)) {
            return $value === PHP_INT_MIN ? throw new RefusedException('an integer beyond 63 bits') : (string) $value;
        }
        if (is_array($value) && array_is_list($value)) {
            $items = array_map(static fn (mixed $item): string => self::written($item, $depth + 1), $value);
            return '[' . implode(',', $items) . ']';
        }
        if (is_array($value) || $value instanceof JsonObject) {
            return self::object($value, $depth);
        }
        throw new RefusedException('a value of type ' . get_debug_type($value) . ' has no canonical form');
    }

    /** @param iterable<string, mixed> $entries */
    private static function object(iterable $entries, int $depth): string
    {
        $parts = [];
        foreach ($entries as $key => $value) {
            if (!is_string($key)) {
                throw new RefusedException("PHP made the key \"$key\" a number; use JsonObject");
            }
            $parts["k$key"] = self::text($key) . ':' . self::written($value, $depth + 1);
        }
        uksort($parts, 'strcmp');
        return '{' . implode(',', $parts) . '}';
    }

    private static function text(string $text): string
    {
        // Without the third flag PHP escapes U+2028 and U+2029, which nobody else does.
        $flags = JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_LINE_TERMINATORS;
        $written = json_encode($text, $flags);
        return $written === false ? throw new RefusedException('text that is not UTF-8') : $written;
    }

    private function value(int $depth): mixed
    {
        if ($depth > self::DEPTH_MAX) {
            throw new RefusedException('nested deeper than ' . self::DEPTH_MAX);
        }
        $char = $this->source[$this->at] ?? '';
        if ($char === '{') {
            return $this->readObject($depth);
        }
        if ($char === '[') {
            return $this->readArray($depth);
        }
        if ($char === '"') {
            return $this->readString();
        }
        foreach (self::WORDS as $word => $value) {
            if (substr_compare($this->source, $word, $this->at, strlen($word)) === 0) {
                $this->at += strlen($word);
                return $value;
            }
        }
        return $this->readNumber();
    }

    private function readObject(int $depth): JsonObject
    {
        $found = [];
        $this->at++;
        $this->space();
        if ($this->skip('}')) {
            return new JsonObject();
        }
        do {
            $this->space();
            if (($this->source[$this->at] ?? '') !== '"') {
                $this->refuse('a key is missing');
            }
            $key = $this->readString();
            if (array_key_exists("k$key", $found)) {
                throw new RefusedException('the key "' . Text::clean($key, 60) . '" occurs twice');
            }
            $this->space();
            $this->skip(':') ?: $this->refuse('`:` is missing');
            $this->space();
            $found["k$key"] = $this->value($depth + 1);
            $this->space();
        } while ($this->skip(','));
        $this->skip('}') ?: $this->refuse('`,` or `}` is missing');
        return new JsonObject((static function () use ($found): \Generator {
            foreach ($found as $key => $value) {
                yield substr($key, 1) => $value;
            }
        })());
    }

    /** @return list<mixed> */
    private function readArray(int $depth): array
    {
        $found = [];
        $this->at++;
        $this->space();
        if ($this->skip(']')) {
            return $found;
        }
        do {
            $this->space();
            $found[] = $this->value($depth + 1);
            $this->space();
        } while ($this->skip(','));
        $this->skip(']') ?: $this->refuse('`,` or `]` is missing');
        return $found;
    }

    private function readString(): string
    {
        self::$ends = self::$ends ?: '"\\' . implode('', array_map('chr', range(0, 31)));
        $found = '';
        $this->at++;
        for (;;) {
            $plain = strcspn($this->source, self::$ends, $this->at);
            $found .= substr($this->source, $this->at, $plain);
            $this->at += $plain;
            if ($this->skip('"')) {
                return $found;
            }
            $this->skip('\\') ?: $this->refuse('a text does not end, or holds a control character');
            $char = $this->source[$this->at++] ?? '';
            $found .= $char === 'u' ? $this->readEscape() : self::ESCAPES[$char] ?? $this->refuse('no escape of JSON');
        }
    }

    private function readEscape(): string
    {
        $code = $this->readUnit();
        if ($code >= 0xD800 && $code < 0xDC00 && substr($this->source, $this->at, 2) === '\\u') {
            $this->at += 2;
            $low = $this->readUnit();
            $paired = $low >= 0xDC00 && $low < 0xE000;
            $code = $paired ? 0x10000 + (($code - 0xD800) << 10) + ($low - 0xDC00) : 0xD800;
        }
        if ($code >= 0xD800 && $code < 0xE000) {
            throw new RefusedException('text with a lone surrogate');
        }
        return match (true) {
            $code < 0x80 => chr($code),
            $code < 0x800 => chr(0xC0 | $code >> 6) . chr(0x80 | $code & 0x3F),
            $code < 0x10000 => chr(0xE0 | $code >> 12) . chr(0x80 | $code >> 6 & 0x3F) . chr(0x80 | $code & 0x3F),
            default => chr(0xF0 | $code >> 18) . chr(0x80 | $code >> 12 & 0x3F) . chr(0x80 | $code >> 6 & 0x3F)
                . chr(0x80 | $code & 0x3F),
        };
    }

    private function readUnit(): int
    {
        $digits = substr($this->source, $this->at, 4);
        if (strlen($digits) !== 4 || !ctype_xdigit($digits)) {
            $this->refuse('`\\u` without four hexadecimal digits');
        }
        $this->at += 4;
        return (int) hexdec($digits);
    }

    private function readNumber(): int
    {
        $form = '/\G(-?)(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?/';
        if (preg_match($form, $this->source, $match, 0, $this->at) !== 1) {
            $this->refuse('a value is missing');
        }
        if (($match[3] ?? '') !== '' || ($match[4] ?? '') !== '') {
            throw new RefusedException('the number ' . substr($match[0], 0, 40) . ' is not an integer');
        }
        $digits = $match[2];
        if (strlen($digits) > 19 || (strlen($digits) === 19 && strcmp($digits, (string) PHP_INT_MAX) > 0)) {
            throw new RefusedException('an integer beyond 63 bits');
        }
        $this->at += strlen($match[0]);
        return $match[1] === '-' ? -(int) $digits : (int) $digits;
    }

    private function space(): void
    {
        $this->at += strspn($this->source, self::SPACE, $this->at);
    }

    private function skip(string $char): bool
    {
        if (($this->source[$this->at] ?? '') !== $char) {
            return false;
        }
        $this->at++;
        return true;
    }

    private function refuse(string $why): never
    {
        throw new RefusedException("not JSON: at byte $this->at: $why");
    }
}
