<?php

declare(strict_types=1);

namespace Orlop;

/** What a run is given beside its manifest. */
final class Options
{
    /**
     * @param list<string> $args the guest's arguments
     * @param array<string, string> $env what it sees as its environment
     * @param list<string> $dirs directories that it may use, each `HOST:GUEST` or `HOST:GUEST:ro`
     * @param int|null $fuel its budget of instructions, roughly; null: no less than its time can burn
     * @param int|null $maxOutputBytes of stdout, and of stderr; null: the node's default
     * @param array<string, string> $limits the rest, as `orlop jobs run` writes them: `dir-quota`, `open-files`, `stack`,
     *     `table`
     * @throws RefusedException a limit that does not exist
     */
    public function __construct(
        public readonly array $args = [],
        public readonly array $env = [],
        public readonly array $dirs = [],
        public readonly ?int $fuel = null,
        public readonly ?int $maxOutputBytes = null,
        public readonly array $limits = [],
    ) {
        if ($unknown = array_diff(array_keys($limits), ['dir-quota', 'open-files', 'stack', 'table'])) {
            throw new RefusedException('no limit of a job: ' . Text::clean(implode(', ', $unknown), 100));
        }
    }

    public function with(mixed ...$changes): self
    {
        return new self(...[...get_object_vars($this), ...$changes]);
    }
}
