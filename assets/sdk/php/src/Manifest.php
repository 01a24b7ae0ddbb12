<?php

declare(strict_types=1);

namespace Orlop;

/**
 * What is to be run and within what: the unsigned job manifest, version 0.1.
 *
 * The node writes and signs the manifest v1 of a run itself; that one is `SignedManifest`.
 */
final class Manifest
{
    private const VERSION = '0.1';
    private const SIZE_MAX = 65_536;
    private const HIGHEST = ['cpu_cores' => 64, 'memory_mb' => 32_768, 'timeout_seconds' => 3600];

    private int $cpuCores = 1;
    private int $memoryMb = 128;
    private int $timeoutSeconds = 300;

    private function __construct(private readonly string $moduleHash)
    {
    }

    /**
     * The manifest of a module file, with the defaults: 1 core, 128 MiB, 300 s.
     *
     * @throws UnavailableException the file cannot be read
     */
    public static function fromWasmFile(string $path): self
    {
        $hash = is_file($path) && is_readable($path) ? hash_file('sha256', $path) : false;
        if ($hash === false) {
            throw new UnavailableException(Text::clean($path, 200) . ': cannot be read');
        }
        return new self("sha256:$hash");
    }

    /**
     * @throws RefusedException not JSON, a field missing, unknown, of a wrong type or out of its range
     */
    public static function fromJson(string $json): self
    {
        $document = Schema::check('manifest.v0.1', Json::decode($json, self::SIZE_MAX));
        if ($document->get('version') !== self::VERSION) {
            throw new RefusedException('version: only 0.1 is known');
        }
        return (new self($document->get('module_hash')))
            ->setCpuCores($document->get('cpu_cores'))
            ->setMemoryMb($document->get('memory_mb'))
            ->setTimeoutSeconds($document->get('timeout_seconds'));
    }

    /** Canonical JSON of the five fields. */
    public function toJson(): string
    {
        return Json::encode(new JsonObject([
            'version' => self::VERSION,
            'module_hash' => $this->moduleHash,
            'cpu_cores' => $this->cpuCores,
            'memory_mb' => $this->memoryMb,
            'timeout_seconds' => $this->timeoutSeconds,
        ]));
    }

    public function getVersion(): string
    {
        return self::VERSION;
    }

    /** `sha256:` and 64 hexadecimal characters. */
    public function getModuleHash(): string
    {
        return $this->moduleHash;
    }

    public function getCpuCores(): int
    {
        return $this->cpuCores;
    }

    public function getMemoryMb(): int
    {
        return $this->memoryMb;
    }

    public function getTimeoutSeconds(): int
    {
        return $this->timeoutSeconds;
    }

    /** @param int $cores 1 to 64 */
    public function setCpuCores(int $cores): self
    {
        $this->cpuCores = self::within($cores, 'cpu_cores');
        return $this;
    }

    /** @param int $mebibytes 1 to 32768 */
    public function setMemoryMb(int $mebibytes): self
    {
        $this->memoryMb = self::within($mebibytes, 'memory_mb');
        return $this;
    }

    /** @param int $seconds 1 to 3600 */
    public function setTimeoutSeconds(int $seconds): self
    {
        $this->timeoutSeconds = self::within($seconds, 'timeout_seconds');
        return $this;
    }

    private static function within(int $value, string $name): int
    {
        $most = self::HIGHEST[$name];
        return $value >= 1 && $value <= $most ? $value : throw new RefusedException("$name: not 1 to $most");
    }
}
