<?php

declare(strict_types=1);

namespace Orlop;

/** How a job ended, as the node says; what of it is signed is in the receipt. */
final class Result
{
    private function __construct(
        private readonly JsonObject $document,
        private readonly ?Receipt $receipt,
        private readonly string $stdout,
        private readonly string $stderr,
        private readonly string $moduleHash,
        private readonly string $message,
    ) {
    }

    /**
     * @param JsonObject $document what `orlop jobs run --json` printed
     * @param string $moduleHash what was to run
     * @param string $message what the program said besides, one harmless line
     * @throws RefusedException the document is none, or its receipt is that of another job or module
     */
    public static function fromDocument(JsonObject $document, string $moduleHash, string $message = ''): self
    {
        $form = is_string($document->get('job')) && is_string($document->get('outcome'))
            && is_int($document->get('exit_code')) && is_bool($document->get('truncated'));
        if (!$form) {
            throw new RefusedException('not the answer of `orlop jobs run --json`');
        }
        $receipt = $document->get('receipt');
        $read = $receipt === null ? null : Receipt::envelopeFromJson(Json::encode($receipt));
        if ($read !== null && ($read->getJobId() !== $document->get('job') || $read->getModuleHash() !== $moduleHash)) {
            throw new RefusedException('the receipt is that of another job or module');
        }
        $stdout = self::stream($document, 'stdout');
        return new self($document, $read, $stdout, self::stream($document, 'stderr'), $moduleHash, $message);
    }

    /** What the guest wrote, as far as it was kept. */
    public function stdout(): string
    {
        return $this->stdout;
    }

    public function stderr(): string
    {
        return $this->stderr;
    }

    /** What `orlop jobs run` returned: the guest's code, or 124, 125, 134, 137. */
    public function exitCode(): int
    {
        return $this->document->get('exit_code');
    }

    /** Null when the guest never started: the job was refused, or its worker lost; what a peer sent and is not believed is here. */
    public function receipt(): ?Receipt
    {
        return $this->receipt;
    }

    /** `exit`, `trap`, `fuel`, `memory`, `stack`, `output`, `deadline`, `cancelled`, `refused`, `lost` or `unverified`. */
    public function outcome(): string
    {
        return $this->document->get('outcome');
    }

    public function jobId(): string
    {
        return $this->document->get('job');
    }

    /** Whether output was cut at its limit. */
    public function isTruncated(): bool
    {
        return $this->document->get('truncated');
    }

    /** Why it ended otherwise than well, one line; else empty. */
    public function message(): string
    {
        return $this->message;
    }

    /** Whether the guest ended by itself, with 0. */
    public function isSuccess(): bool
    {
        return $this->outcome() === 'exit' && $this->exitCode() === 0;
    }

    /**
     * Holds the receipt against a key that the caller knows, the module, and the output.
     *
     * @param string $pinnedKey the node's key: 64 hexadecimal characters or a PeerId
     * @return bool false also when there is no receipt
     */
    public function verify(string $pinnedKey): bool
    {
        return $this->receipt !== null && $this->receipt->verify(
            $pinnedKey,
            module: $this->moduleHash,
            stdout: $this->stdout,
            stderr: $this->stderr,
        );
    }

    private static function stream(JsonObject $document, string $name): string
    {
        if (is_string($text = $document->get($name))) {
            return $text;
        }
        $coded = $document->get("{$name}_b64");
        $bytes = is_string($coded) ? base64_decode($coded, true) : false;
        return $bytes === false ? throw new RefusedException("`$name` is missing in the answer") : $bytes;
    }
}
