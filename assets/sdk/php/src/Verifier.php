<?php

declare(strict_types=1);

namespace Orlop;

/**
 * The eight steps of `orlop receipts verify`, in the same order and with the same words.
 *
 * A step is false only when something contradicts the receipt, and null when there was nothing to hold it against.
 */
final class Verifier
{
    private const FIRST_PREVIOUS = '0000000000000000000000000000000000000000000000000000000000000000';
    private const BUNDLE_MAX = 64 << 20;
    private const LEGACY_MAX = 65_536;
    private const LIMITS_MAX = 4096;

    /** The limits that a manifest names in its object `orlop`. */
    private const OWN_LIMITS = [
        'fuel', 'max_output_bytes', 'cpu_ms', 'stack_bytes', 'table_elements', 'open_files', 'dir_bytes',
    ];

    private ?SignedManifest $read = null;

    /** @param list<KeyStatement> $statements */
    private function __construct(
        private readonly Receipt $receipt,
        private readonly Evidence $evidence,
        private readonly array $statements = [],
        private readonly bool $inBundle = false,
    ) {
    }

    /**
     * Verifies a receipt; never throws for anything that the receipt or the evidence holds.
     *
     * @param string $raw the receipt's JSON as it was received, or that of a proof bundle, which brings evidence of its own
     */
    public static function verify(string $raw, Evidence $evidence): Verification
    {
        try {
            $findings = self::of($raw, $evidence)->findings();
        } catch (RefusedException $error) {
            $rest = array_fill(0, count(Verification::STEPS) - 1, [null, 'not checked: this is no receipt']);
            $findings = [[false, $error->getMessage()], ...$rest];
        }
        $step = static fn (string $name, array $found): Step => new Step($name, ...$found);
        return new Verification(array_map($step, Verification::STEPS, $findings));
    }

    private static function of(string $raw, Evidence $evidence): self
    {
        $document = Json::decode($raw, self::BUNDLE_MAX);
        if (!$document instanceof JsonObject || !$document->has('bundle_version')) {
            return new self(Receipt::fromJson($raw), $evidence);
        }
        $bundle = Bundle::of($document);
        return new self($bundle->receipt, $evidence->filledFrom($bundle), $bundle->statements, true);
    }

    /** @return list<array{?bool, string}> */
    private function findings(): array
    {
        if (!$this->receipt->isSignedEnvelope()) {
            return $this->legacy();
        }
        return [
            [true, $this->inBundle ? 'receipt version 1, in a proof bundle' : 'receipt version 1'],
            $this->canonical(),
            $this->key(),
            self::signature($this->receipt),
            $this->jobId(),
            $this->module(),
            $this->commitment(),
            $this->chain(),
        ];
    }

    /**
     * The older form 0.1 is never valid: with a signature that fits, it still says nothing of job, output or requester.
     *
     * @return list<array{?bool, string}>
     */
    private function legacy(): array
    {
        [$fits] = self::signature($this->receipt);
        return [
            [null, 'receipt version 0.1, which proves little: its five figures name no job, output or requester'],
            [null, 'version 0.1 has no canonical form'],
            $this->key(),
            [$fits, $fits ? 'Ed25519 over the five figures' : 'does not fit the five figures and the key'],
            [null, 'version 0.1 names no job'],
            $this->legacyModule(),
            [null, 'version 0.1 says nothing of the output'],
            [null, 'in no chain'],
        ];
    }

    /** @return array{?bool, string} */
    private function legacyModule(): array
    {
        $stated = $this->receipt->getModuleHash();
        if ($this->evidence->module !== null) {
            return $this->evidence->module === $stated
                ? [true, 'the module that was given']
                : [false, 'another module than the one that was given'];
        }
        if ($this->evidence->manifest === null) {
            return [null, 'no module to compare with'];
        }
        try {
            $manifest = Schema::check('manifest.v0.1', Json::decode($this->evidence->manifest, self::LEGACY_MAX));
            $asked = $manifest->get('module_hash');
        } catch (RefusedException $error) {
            return [false, 'the manifest is bad: ' . $error->getMessage()];
        }
        return $asked === $stated
            ? [true, 'the module that the manifest names']
            : [false, 'another module is asked for'];
    }

    /** @return array{?bool, string} */
    private function canonical(): array
    {
        $fraction = explode('.', substr((string) $this->receipt->getCompletedAt(), 0, -1), 2)[1] ?? '';
        if ($fraction !== '' && (strlen($fraction) % 3 !== 0 || str_ends_with($fraction, '000'))) {
            return [false, 'the fraction of `completed_at` is not in its shortest form of 3, 6 or 9 digits'];
        }
        if ($this->inBundle) {
            return [true, 'has one canonical form'];
        }
        $body = (string) preg_replace('/\r?\n\z/', '', $this->receipt->getRaw());
        if (!str_starts_with($body, '{') || !str_ends_with($body, '}')) {
            return [false, 'something stands before or behind the document'];
        }
        $same = $body === $this->receipt->toJson();
        return [true, $same ? 'canonical JSON' : 'has one canonical form; the file is laid out differently'];
    }

    /** @return array{?bool, string} */
    private function key(): array
    {
        $worker = $this->receipt->getWorkerKey();
        $short = substr($worker, 0, 16);
        if ($this->evidence->key === null) {
            return [null, "nothing is known of key {$short}…; give the worker's key to check it"];
        }
        $turns = KeyStatement::between($this->statements, $this->evidence->key, $worker);
        return match ($turns) {
            null => [false, "signed by {$short}…, not by the key that was given"],
            0 => [true, 'the key that was given'],
            default => [true, "$turns signed rotation" . ($turns === 1 ? '' : 's') . ' from the key that was given'],
        };
    }

    /** @return array{bool, string} */
    private static function signature(Receipt $receipt): array
    {
        $fits = Crypto::verifySignature($receipt->getMessage(), $receipt->getSignature(), $receipt->getWorkerKey());
        return [$fits, $fits ? 'Ed25519 over the canonical message' : 'does not fit the message and the key'];
    }

    /** @return array{?bool, string} */
    private function jobId(): array
    {
        if ($this->receipt->getSpecHash() !== $this->receipt->getJobId()) {
            return [false, '`job_id` and `job_spec_hash` differ'];
        }
        try {
            $manifest = $this->manifest();
        } catch (RefusedException $error) {
            return [false, 'the manifest is bad: ' . $error->getMessage()];
        }
        if ($manifest === null) {
            return [null, 'no manifest to compare with; the two ids in the receipt agree'];
        }
        if ($manifest->getJobId() !== $this->receipt->getJobId()) {
            return [false, 'the manifest is that of job ' . substr($manifest->getJobId(), 0, 16) . '…'];
        }
        $wrong = $this->contradiction($manifest);
        return $wrong ? [false, $wrong] : [true, "the manifest's hash, and what the receipt repeats of it"];
    }

    /** @throws RefusedException it was given and is bad */
    private function manifest(): ?SignedManifest
    {
        $raw = $this->evidence->manifest;
        return $raw === null ? null : $this->read ??= SignedManifest::fromJson($raw);
    }

    /** What the receipt states of the job otherwise than the manifest; empty when nothing. */
    private function contradiction(SignedManifest $manifest): string
    {
        $own = $manifest->getExtension();
        $expected = [];
        foreach (['nonce', 'stdin_sha256'] as $name) {
            if (is_string($own->get($name))) {
                $expected["orlop.$name"] = $own->get($name);
            }
        }
        foreach (['argv', 'env', 'dirs'] as $name) {
            if ($own->has($name)) {
                $expected["orlop.{$name}_sha256"] = hash('sha256', Json::encode($own->get($name)));
            }
        }
        foreach ($expected as $name => $text) {
            if (($this->receipt->getEntry($name) ?? $text) !== $text) {
                return "`$name` does not fit the manifest";
            }
        }
        return $this->above($manifest);
    }

    /** Which limit of the run was above what the manifest allowed. */
    private function above(SignedManifest $manifest): string
    {
        $limits = $this->receipt->getEntry('orlop.limits');
        if ($limits === null) {
            return '';
        }
        try {
            $ran = Json::decode($limits, self::LIMITS_MAX);
        } catch (RefusedException) {
            $ran = null;
        }
        if (!$ran instanceof JsonObject) {
            return '`orlop.limits` is not a JSON object';
        }
        $allowed = [
            'memory_bytes' => $manifest->getPayload()->get('max_memory_bytes'),
            'timeout_ms' => $manifest->getPayload()->get('max_duration_ms'),
        ];
        foreach (self::OWN_LIMITS as $name) {
            $allowed[$name] = $manifest->getExtension()->get($name);
        }
        foreach ($allowed as $name => $most) {
            $used = $ran->get($name);
            if (is_int($most) && is_int($used) && $used > $most) {
                return "it ran with $name $used, the manifest allows $most";
            }
        }
        return '';
    }

    /** @return array{?bool, string} */
    private function module(): array
    {
        $given = $this->evidence->module;
        $stated = $this->receipt->getModuleHash();
        try {
            $asked = $this->manifest()?->getPayload()->get('module_cid');
        } catch (RefusedException) {
            $asked = null; // step `job_id` says so
        }
        if ($stated === null) {
            return [null, 'the receipt names no module'];
        }
        if ($given !== null && $given !== $stated) {
            return [false, 'another module than the one that was given'];
        }
        if (is_string($asked) && str_starts_with($asked, 'sha256:') && $asked !== $stated) {
            return [false, 'another module than the one in the manifest'];
        }
        if ($given !== null) {
            return [true, 'the module that was given'];
        }
        return $asked === $stated
            ? [true, 'the module that the manifest names']
            : [null, 'no module to compare with'];
    }

    /** @return array{?bool, string} */
    private function commitment(): array
    {
        [$stdout, $stderr] = [$this->evidence->stdout, $this->evidence->stderr];
        if ($stdout === null && $stderr === null) {
            return [null, 'no output to compare with'];
        }
        [$digest, $count] = Crypto::commitment($stdout ?? '', $stderr ?? '');
        if ($digest === $this->receipt->getCommitment() && $count === $this->receipt->getChunkCount()) {
            return [true, "the output, $count chunk" . ($count === 1 ? '' : 's')];
        }
        $missing = $stderr === null ? 'stderr' : ($stdout === null ? 'stdout' : '');
        if ($missing && $this->receipt->getChunkCount() > $count) {
            return [null, "$missing is not given, and the receipt covers more output"];
        }
        return [false, 'another output than the one that was given'];
    }

    /** @return array{?bool, string} */
    private function chain(): array
    {
        $number = $this->receipt->getNumber();
        if ($number === null) {
            return [null, 'in no chain'];
        }
        $first = $this->receipt->getPrevious() === self::FIRST_PREVIOUS;
        $leads = $this->receipt->mayFollow(null);
        if ($this->receipt->isRestored() ? !$leads : $leads !== $first) {
            return [false, 'only the first receipt of a key, number 0, has no predecessor'];
        }
        if ($this->evidence->previous !== null) {
            return $this->follows($this->evidence->previous);
        }
        $restored = $this->receipt->isRestored() ? ', the first after a restore' : '';
        return $first
            ? [true, 'the first of its key']
            : [null, "number $number$restored; its predecessor is not here"];
    }

    /** @return array{bool, string} */
    private function follows(string $raw): array
    {
        try {
            $before = Receipt::envelopeFromJson($raw);
        } catch (RefusedException $error) {
            return [false, 'the preceding receipt is bad: ' . $error->getMessage()];
        }
        if ($before->getWorkerKey() !== $this->receipt->getWorkerKey()) {
            return [false, 'the preceding receipt is of another key'];
        }
        if (!self::signature($before)[0]) {
            return [false, "the preceding receipt's signature does not fit"];
        }
        $follows = $before->getId() === $this->receipt->getPrevious()
            && $before->getNumber() !== null
            && $this->receipt->mayFollow($before->getNumber());
        return $follows
            ? [true, "number {$this->receipt->getNumber()}, follows the receipt that was given"]
            : [false, 'does not follow the receipt that was given'];
    }
}
