<?php

declare(strict_types=1);

namespace Orlop;

/** One finding: true, false, or null for "not checked". */
final class Step
{
    public function __construct(
        public readonly string $name,
        public readonly ?bool $ok,
        public readonly string $detail,
    ) {
    }
}
