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
    private const ENVELOPE = ['completed_at', 'job_id', 'result', 'schema_version', 'signature', 'worker_pubkey'];
    private const RESULT = [
        'completion', 'job_spec_hash', 'metrics', 'output_chunk_count', 'output_commitment', 'resumption',
    ];
    private const METRICS = ['completion_tokens', 'extra', 'prompt_tokens', 'total_duration_ms'];
    private const RESUMPTION = ['issuer', 'state', 'valid_until_unix_ms'];
    private const LEGACY = [
        'version', 'module_hash', 'exit_code', 'wall_time_ms', 'timestamp', 'node_pubkey', 'signature',
    ];
    private const COMPLETED = '/\A([0-9-]{10}T[0-9:]{8})(?:\.[0-9]{1,9})?Z\z/';
    private const EXTRA = [
        'exit_code' => Form::DECIMAL,
        'module_hash' => Form::MODULE,
        'orlop.argv_sha256' => Form::HEX64,
        'orlop.dirs_sha256' => Form::HEX64,
        'orlop.env_sha256' => Form::HEX64,
        'orlop.fuel_used' => Form::DECIMAL,
        'orlop.nonce' => Form::NONCE,
        'orlop.prev' => Form::HEX64,
        'orlop.seq' => Form::DECIMAL,
        'orlop.stdin_sha256' => Form::HEX64,
    ];

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
        if ($document instanceof JsonObject && $document->has('node_pubkey')) {
            return new self($json, self::legacy($document));
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

    /** Its id, SHA-256 of the signed message; null for the older form. */
    public function getId(): ?string
    {
        return $this->isSignedEnvelope() ? hash('sha256', Crypto::getCanonicalMessage($this->document)) : null;
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
        $of = 'receipt version 1';
        $envelope = Form::object($document, self::ENVELOPE, 'the document', $of);
        $version = Form::count($envelope->get('schema_version'), 'schema_version');
        if ($version !== 1) {
            throw new RefusedException("`schema_version` is $version, only 1 is known");
        }
        $result = Form::object($envelope->get('result'), self::RESULT, 'result', $of);
        $metrics = Form::object($result->get('metrics'), self::METRICS, 'result.metrics', $of);
        foreach (['prompt_tokens', 'completion_tokens', 'total_duration_ms'] as $name) {
            Form::count($metrics->get($name), $name);
        }
        if ($result->get('resumption') !== null) {
            $ticket = Form::object($result->get('resumption'), self::RESUMPTION, 'resumption', $of);
            Form::octets($ticket->get('state'), 'state', 0, 256);
            Form::count($ticket->get('valid_until_unix_ms'), 'valid_until_unix_ms');
            is_string($ticket->get('issuer')) ?: throw new RefusedException('`issuer` is not text');
        }
        if (!in_array($result->get('completion'), ['stop', 'length', 'cancelled', 'error'], true)) {
            throw new RefusedException('`completion` is none of stop, length, cancelled, error');
        }
        Form::text($envelope->get('worker_pubkey'), Form::HEX64, 'worker_pubkey');
        Form::text($envelope->get('job_id'), Form::HEX64, 'job_id');
        Form::octets($result->get('job_spec_hash'), 'job_spec_hash', 32, 32);
        Form::octets($result->get('output_commitment'), 'output_commitment', 32, 32);
        Form::count($result->get('output_chunk_count'), 'output_chunk_count');
        self::checkTime($envelope->get('completed_at'));
        self::checkExtra($metrics->get('extra'));
        Form::text($envelope->get('signature'), Form::HEX128, 'signature');
        return $envelope;
    }

    private static function checkTime(mixed $value): void
    {
        if (!is_string($value) || !preg_match(self::COMPLETED, $value, $match)) {
            throw new RefusedException('`completed_at` is not a UTC time ending in Z');
        }
        Form::isTime("$match[1]Z") ?: throw new RefusedException('`completed_at`: not a time');
    }

    private static function checkExtra(mixed $value): void
    {
        if (!$value instanceof JsonObject || count($value) === 0) {
            throw new RefusedException('`extra` is not a map with at least one entry');
        }
        foreach ($value as $name => $text) {
            is_string($text) ?: throw new RefusedException('`' . Text::clean($name, 60) . '` in `extra` is not text');
            isset(self::EXTRA[$name]) && Form::text($text, self::EXTRA[$name], $name);
        }
        if ($value->has('orlop.seq') !== $value->has('orlop.prev')) {
            throw new RefusedException('`orlop.seq` and `orlop.prev` come together or not at all');
        }
    }

    private static function legacy(JsonObject $document): JsonObject
    {
        Form::object($document, self::LEGACY, 'the document', 'receipt version 0.1');
        Form::text($document->get('version'), '/\A0\.1\z/', 'version');
        Form::text($document->get('module_hash'), Form::MODULE, 'module_hash');
        Form::text($document->get('node_pubkey'), Form::HEX64, 'node_pubkey');
        Form::text($document->get('signature'), Form::HEX128, 'signature');
        foreach (['exit_code', 'wall_time_ms', 'timestamp'] as $name) {
            Form::count($document->get($name), $name);
        }
        return $document;
    }
}
