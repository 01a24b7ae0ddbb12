<?php

declare(strict_types=1);

namespace Orlop;

/**
 * A receipt as a document. Reading one says nothing of its truth: that is `verify`, which needs the worker's key from
 * somewhere else than the receipt.
 */
final class Receipt
{
    private const SIZE_MAX = 262_144;
    private const FIGURES = ['version', 'module_hash', 'exit_code', 'wall_time_ms', 'timestamp'];
    private const RESTORED_STEP = 1 << 32; // by how much the number rises at least in the entry after a restore

    private function __construct(private readonly string $raw, private readonly JsonObject $document)
    {
    }

    /**
     * Reads a receipt strictly: version 1, or the older form 0.1, which can be looked at but is never believed.
     *
     * @throws RefusedException not JSON, a field missing, unknown or of a wrong type; the message names it
     */
    public static function fromJson(string $json): self
    {
        $document = Json::decode($json, self::SIZE_MAX);
        if ($document instanceof JsonObject && $document->has('version') && !$document->has('schema_version')) {
            return new self($json, Schema::check('receipt.v0.1', $document));
        }
        return new self($json, self::envelope($document));
    }

    /**
     * Reads a receipt of version 1 and nothing else.
     *
     * @throws RefusedException as `fromJson`
     */
    public static function envelopeFromJson(string $json): self
    {
        return new self($json, self::envelope(Json::decode($json, self::SIZE_MAX)));
    }

    /**
     * A receipt for tests, signed by a key that is made here and thrown away: it verifies under its own
     * `getWorkerKey()` and under no other.
     *
     * @param array<string, string> $extra more entries of `metrics.extra`, or other values of them
     */
    public static function createMock(array $extra = [], string $stdout = '', string $stderr = ''): self
    {
        $pair = sodium_crypto_sign_keypair();
        [$digest, $chunks] = Crypto::commitment($stdout, $stderr);
        $job = random_bytes(32);
        $octets = static fn (string $bytes): array => array_values((array) unpack('C*', $bytes));
        $defaults = ['exit_code' => '0', 'module_hash' => Crypto::moduleName(''), 'orlop.outcome' => 'exit'];
        $envelope = new JsonObject([
            'schema_version' => 1,
            'job_id' => bin2hex($job),
            'completed_at' => gmdate('Y-m-d\TH:i:s\Z'),
            'result' => new JsonObject([
                'job_spec_hash' => $octets($job),
                'output_commitment' => $octets((string) hex2bin($digest)),
                'output_chunk_count' => $chunks,
                'completion' => 'stop',
                'resumption' => null,
                'metrics' => new JsonObject([
                    'total_duration_ms' => 0,
                    'prompt_tokens' => 0,
                    'completion_tokens' => 0,
                    'extra' => new JsonObject([...$defaults, ...$extra]),
                ]),
            ]),
            'worker_pubkey' => bin2hex(sodium_crypto_sign_publickey($pair)),
        ]);
        $message = Crypto::getCanonicalMessage($envelope);
        $signature = bin2hex(sodium_crypto_sign_detached($message, sodium_crypto_sign_secretkey($pair)));
        return self::fromJson(Json::encode($envelope->with('signature', $signature)));
    }

    /** Canonical JSON of the document. */
    public function toJson(): string
    {
        return Json::encode($this->document);
    }

    /** The document's bytes as they were read. */
    public function getRaw(): string
    {
        return $this->raw;
    }

    public function getDocument(): JsonObject
    {
        return $this->document;
    }

    /**
     * Whether this receipt is valid: well-formed, signed by this key, and contradicted by nothing that was given.
     *
     * @param string $pinnedKey the worker's key, from somewhere else than the receipt: 64 hexadecimal characters or a
     *     PeerId
     * @param string|null $manifest and the rest: see `Evidence`
     * @throws RefusedException the key is none
     */
    public function verify(
        string $pinnedKey,
        ?string $manifest = null,
        ?string $module = null,
        ?string $stdout = null,
        ?string $stderr = null,
        ?string $previous = null,
    ): bool {
        return $this->check(new Evidence($pinnedKey, $manifest, $module, $stdout, $stderr, $previous))->isValid();
    }

    /** As `verify`, step by step. */
    public function check(Evidence $evidence): Verification
    {
        return Verifier::verify($this->raw, $evidence);
    }

    /** Whether it is a receipt of version 1; an older one is never valid. */
    public function isSignedEnvelope(): bool
    {
        return $this->document->has('worker_pubkey');
    }

    /** The bytes that its signature covers; those of the older form name neither job nor output. */
    public function getMessage(): string
    {
        if ($this->isSignedEnvelope()) {
            return Crypto::getCanonicalMessage($this->document);
        }
        $figures = array_map($this->document->get(...), self::FIGURES);
        return hash('sha256', implode('|', $figures), true);
    }

    /** Its id, SHA-256 of the signed message; null for the older form. */
    public function getId(): ?string
    {
        return $this->isSignedEnvelope() ? hash('sha256', $this->getMessage()) : null;
    }

    public function getJobId(): ?string
    {
        return $this->document->get('job_id');
    }

    /** The public key that it names, which is not yet the key of somebody whom you know. */
    public function getWorkerKey(): string
    {
        return $this->document->get($this->isSignedEnvelope() ? 'worker_pubkey' : 'node_pubkey');
    }

    public function getSignature(): string
    {
        return $this->document->get('signature');
    }

    public function getModuleHash(): ?string
    {
        return $this->isSignedEnvelope() ? $this->getEntry('module_hash') : $this->document->get('module_hash');
    }

    public function getExitCode(): ?int
    {
        $code = $this->isSignedEnvelope() ? $this->getEntry('exit_code') : $this->document->get('exit_code');
        return $code === null ? null : (int) $code;
    }

    /** `exit`, `trap`, `fuel`, `memory`, `stack`, `output`, `deadline` or `cancelled`. */
    public function getOutcome(): ?string
    {
        return $this->getEntry('orlop.outcome');
    }

    /** `stop`, `length`, `cancelled` or `error`. */
    public function getCompletion(): ?string
    {
        return $this->result()?->get('completion');
    }

    public function getCompletedAt(): ?string
    {
        return $this->document->get('completed_at');
    }

    public function getDurationMs(): int
    {
        return $this->metrics()?->get('total_duration_ms') ?? $this->document->get('wall_time_ms');
    }

    /** The job's id once more, from the signed result; 64 hexadecimal characters. */
    public function getSpecHash(): ?string
    {
        return $this->hex('job_spec_hash');
    }

    /** The commitment over the output, 64 hexadecimal characters. */
    public function getCommitment(): ?string
    {
        return $this->hex('output_commitment');
    }

    public function getChunkCount(): ?int
    {
        return $this->result()?->get('output_chunk_count');
    }

    /** Its number in the chain of its key; null when it is in none. */
    public function getNumber(): ?int
    {
        $number = $this->getEntry('orlop.seq');
        return $number === null ? null : (int) $number;
    }

    /** Whether it is the entry after a restore from a backup, which alone may leave numbers out. */
    public function isRestored(): bool
    {
        return $this->getOutcome() === 'restored';
    }

    /** Whether its number may be that of a receipt with such a predecessor: null for one that needs none. */
    public function mayFollow(?int $before): bool
    {
        $number = $this->getNumber();
        if ($number === null) {
            return false;
        }
        if ($this->isRestored()) {
            return ($before ?? -1) <= $number - self::RESTORED_STEP;
        }
        return ($before ?? -1) === $number - 1;
    }

    /** The id of the preceding receipt of the same key. */
    public function getPrevious(): ?string
    {
        return $this->getEntry('orlop.prev');
    }

    /** An entry of `metrics.extra`. */
    public function getEntry(string $name): ?string
    {
        return $this->metrics()?->get('extra')->get($name);
    }

    /** Whether the job ended well, if the receipt is true. */
    public function isSuccess(): bool
    {
        return $this->getExitCode() === 0 && ($this->getCompletion() ?? 'stop') === 'stop';
    }

    private function result(): ?JsonObject
    {
        return $this->document->get('result');
    }

    private function metrics(): ?JsonObject
    {
        return $this->result()?->get('metrics');
    }

    private function hex(string $field): ?string
    {
        $octets = $this->result()?->get($field);
        return $octets === null ? null : bin2hex(pack('C*', ...$octets));
    }

    private static function envelope(mixed $document): JsonObject
    {
        $version = $document instanceof JsonObject ? $document->get('schema_version') : null;
        if (is_int($version) && $version > 1) {
            throw new RefusedException("schema_version: $version is newer than 1, the only one that is known");
        }
        $envelope = Schema::check('receipt.v1', $document);
        if (!Form::isTime(substr($envelope->get('completed_at'), 0, 19) . 'Z')) {
            throw new RefusedException('completed_at: not a time');
        }
        return $envelope;
    }
}
