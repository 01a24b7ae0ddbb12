<?php

declare(strict_types=1);

namespace Orlop;

/** A module that is to be run: limits, then `submit`, then `wait`. */
final class Job
{
    private Manifest $manifest;
    private Options $options;
    private ?Execution $execution = null;

    public function __construct(
        private readonly TransportInterface $transport,
        private readonly string $path,
        private readonly ?string $key = null,
    ) {
        $this->manifest = Manifest::fromWasmFile($path);
        $this->options = new Options();
    }

    public function getManifest(): Manifest
    {
        return $this->manifest;
    }

    /** @param int $cores 1 to 64; its CPU time is so many times the time on the clock */
    public function withCpu(int $cores): self
    {
        $this->manifest->setCpuCores($cores);
        return $this;
    }

    /** @param int $mebibytes 1 to 32768 */
    public function withMemory(int $mebibytes): self
    {
        $this->manifest->setMemoryMb($mebibytes);
        return $this;
    }

    /** @param int $seconds on the clock, 1 to 3600 */
    public function withTimeout(int $seconds): self
    {
        $this->manifest->setTimeoutSeconds($seconds);
        return $this;
    }

    /** @param int $fuel instructions, roughly */
    public function withFuel(int $fuel): self
    {
        $this->options = $this->options->with(fuel: $fuel);
        return $this;
    }

    /** @param int $bytes of stdout, and of stderr */
    public function withMaxOutput(int $bytes): self
    {
        $this->options = $this->options->with(maxOutputBytes: $bytes);
        return $this;
    }

    /**
     * @param string $name `dir-quota`, `open-files`, `stack` or `table`
     * @param string $value as `orlop jobs run` reads it, such as `64KiB`
     */
    public function withLimit(string $name, string $value): self
    {
        $this->options = $this->options->with(limits: [...$this->options->limits, $name => $value]);
        return $this;
    }

    public function withArgs(string ...$args): self
    {
        $this->options = $this->options->with(args: array_values($args));
        return $this;
    }

    /** @param array<string, string> $env */
    public function withEnv(array $env): self
    {
        $this->options = $this->options->with(env: $env);
        return $this;
    }

    /** @param string ...$dirs each `HOST:GUEST` or `HOST:GUEST:ro` */
    public function withDirs(string ...$dirs): self
    {
        $this->options = $this->options->with(dirs: array_values($dirs));
        return $this;
    }

    /**
     * Starts it and returns at once.
     *
     * @throws RefusedException the file changed since the job was made
     * @throws UnavailableException the node cannot be reached
     */
    public function submit(string $stdin = ''): self
    {
        if ($this->execution !== null) {
            throw new \LogicException('this job was submitted already');
        }
        $this->execution = $this->transport->execute($this->path, $this->manifest, $stdin, $this->options);
        return $this;
    }

    /**
     * Waits for its end.
     *
     * @throws RefusedException the node refused the job's limits; or the client has a key, and the receipt does not
     *     verify under it
     * @throws UnavailableException the node's program ended without an answer
     */
    public function wait(): Result
    {
        if ($this->execution === null) {
            throw new \LogicException('submit the job first');
        }
        $result = $this->execution->wait();
        if ($this->key !== null && $result->receipt() !== null && !$result->verify($this->key)) {
            throw new RefusedException('the receipt does not verify under the key that was given');
        }
        return $result;
    }

    /** Cancels it; it still gets a signed receipt. */
    public function cancel(): void
    {
        $this->execution?->cancel();
    }
}
