<?php

declare(strict_types=1);

namespace Orlop;

/** Runs jobs by the `orlop` program of this machine: `orlop jobs run … --json`, without a shell. */
final class LocalTransport implements TransportInterface
{
    /**
     * @param string $program the program's path, or its name in `PATH`
     * @param string|null $stateDir the node's state directory; null: the program's default
     * @param list<string> $words further options of `orlop jobs run`
     */
    public function __construct(
        private readonly string $program = 'orlop',
        private readonly ?string $stateDir = null,
        private readonly array $words = [],
    ) {
    }

    public function execute(string $path, Manifest $manifest, string $stdin = '', Options $options = new Options()): Execution
    {
        $found = realpath($path);
        if ($found === false || Manifest::fromWasmFile($found)->getModuleHash() !== $manifest->getModuleHash()) {
            throw new RefusedException(Text::clean($path, 200) . ': not the module that the manifest names');
        }
        return LocalExecution::start($this->command($found, $manifest, $options), $stdin, $manifest->getModuleHash());
    }

    /** @return list<string> */
    private function command(string $path, Manifest $manifest, Options $options): array
    {
        $command = [$this->program];
        if ($this->stateDir !== null) {
            array_push($command, '--state-dir', $this->stateDir);
        }
        array_push($command, 'jobs', 'run', $path, '--json', '--stdin', '-', ...$this->words);
        array_push($command, '--memory', $manifest->getMemoryMb() . 'MiB');
        array_push($command, '--timeout', $manifest->getTimeoutSeconds() . 's');
        array_push($command, '--cpu', $manifest->getCpuCores() * $manifest->getTimeoutSeconds() . 's');
        if ($options->fuel !== null) {
            array_push($command, '--fuel', (string) $options->fuel);
        }
        if ($options->maxOutputBytes !== null) {
            array_push($command, '--max-output', (string) $options->maxOutputBytes);
        }
        foreach ($options->limits as $name => $value) {
            $command[] = "--$name=$value";
        }
        foreach ($options->env as $name => $value) {
            $command[] = "--env=$name=$value";
        }
        foreach ($options->dirs as $dir) {
            $command[] = "--dir=$dir";
        }
        return [...$command, '--', ...$options->args];
    }
}
