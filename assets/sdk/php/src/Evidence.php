<?php

declare(strict_types=1);

namespace Orlop;

/** What a receipt is held against; whatever is missing leaves its step null. */
final class Evidence
{
    public readonly ?string $key;

    /**
     * @param string|null $key the worker's key as the caller knows it: 64 hexadecimal characters, or a PeerId; without
     *     it no receipt is valid
     * @param string|null $manifest the signed job manifest, JSON
     * @param string|null $module the module's hash: `sha256:` and 64 hexadecimal characters
     * @param string|null $stdout everything that the job wrote there
     * @param string|null $stderr everything that the job wrote there
     * @param string|null $previous the preceding receipt of the same key, JSON
     * @throws RefusedException the key is none
     */
    public function __construct(
        ?string $key = null,
        public readonly ?string $manifest = null,
        public readonly ?string $module = null,
        public readonly ?string $stdout = null,
        public readonly ?string $stderr = null,
        public readonly ?string $previous = null,
    ) {
        $this->key = $key === null ? null : Crypto::publicKey($key);
    }

    /** This evidence, with what a proof bundle brings where nothing was given. */
    public function filledFrom(Bundle $bundle): self
    {
        $outputs = $this->stdout === null && $this->stderr === null ? $bundle : $this;
        return new self(
            $this->key,
            $this->manifest ?? $bundle->manifest,
            $this->module,
            $outputs->stdout,
            $outputs->stderr,
            $this->previous,
        );
    }
}
