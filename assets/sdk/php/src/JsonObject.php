<?php

declare(strict_types=1);

namespace Orlop;

/**
 * A JSON object. PHP's own arrays cannot hold one: `{}` would become `[]`, and the key "1" a number.
 *
 * @implements \IteratorAggregate<string, mixed>
 */
final class JsonObject implements \IteratorAggregate, \Countable
{
    /** @var array<string, mixed> values by key, each key behind a letter so that PHP leaves it a text */
    private array $values = [];

    /** @param iterable<string, mixed> $entries values by key */
    public function __construct(iterable $entries = [])
    {
        foreach ($entries as $key => $value) {
            $this->values['k' . $key] = $value;
        }
    }

    public function has(string $key): bool
    {
        return array_key_exists("k$key", $this->values);
    }

    /** The value of a key; null also when there is none. */
    public function get(string $key): mixed
    {
        return $this->values["k$key"] ?? null;
    }

    /** The same object with one more entry, or another value of it. */
    public function with(string $key, mixed $value): self
    {
        $changed = clone $this;
        $changed->values["k$key"] = $value;
        return $changed;
    }

    public function without(string ...$keys): self
    {
        $changed = clone $this;
        foreach ($keys as $key) {
            unset($changed->values["k$key"]);
        }
        return $changed;
    }

    /** @return list<string> */
    public function keys(): array
    {
        return array_map(static fn (string|int $key): string => substr((string) $key, 1), array_keys($this->values));
    }

    public function getIterator(): \Generator
    {
        foreach ($this->values as $key => $value) {
            yield substr($key, 1) => $value;
        }
    }

    public function count(): int
    {
        return count($this->values);
    }
}
