<?php

declare(strict_types=1);

namespace Orlop;

/** The eight findings, in their order. */
final class Verification
{
    public const STEPS = ['schema', 'canonical', 'key', 'signature', 'job_id', 'module', 'commitment', 'chain'];

    /** The first so many steps must be true for a receipt to be valid. */
    private const REQUIRED = 4;

    /** @param list<Step> $steps */
    public function __construct(public readonly array $steps)
    {
    }

    /** True: valid. False: something contradicts it. Null: nothing does, but not enough could be checked. */
    public function ok(): ?bool
    {
        $found = array_map(static fn (Step $step): ?bool => $step->ok, $this->steps);
        if (in_array(false, $found, true)) {
            return false;
        }
        return in_array(null, array_slice($found, 0, self::REQUIRED), true) ? null : true;
    }

    public function isValid(): bool
    {
        return $this->ok() === true;
    }

    /** `valid`, `invalid` or `unchecked`. */
    public function verdict(): string
    {
        return match ($this->ok()) {
            true => 'valid',
            false => 'invalid',
            null => 'unchecked',
        };
    }

    public function step(string $name): Step
    {
        return $this->steps[(int) array_search($name, self::STEPS, true)];
    }

    /** What `orlop receipts verify --json` prints. */
    public function toJson(): string
    {
        $steps = array_map(static fn (Step $step): JsonObject => new JsonObject(get_object_vars($step)), $this->steps);
        return Json::encode(new JsonObject(['ok' => $this->ok(), 'steps' => $steps]));
    }
}
