<?php

declare(strict_types=1);

namespace Orlop;

/** A signed job manifest, envelope v1, whose form and signature are right. */
final class SignedManifest
{
    private const SIZE_MAX = 131_072;

    private function __construct(private readonly JsonObject $document)
    {
    }

    /**
     * Reads a manifest and checks its signature, in the format's order; its expiry is not looked at.
     *
     * @throws RefusedException any check failed; the message begins with which
     */
    public static function fromJson(string $json): self
    {
        try {
            $document = Schema::check('job-manifest.v1', Json::decode($json, self::SIZE_MAX));
            self::checkTimes($document);
        } catch (RefusedException $error) {
            throw new RefusedException('schema: ' . $error->getMessage());
        }
        [$signature, $signer] = [$document->get('signature'), $document->get('signer_pubkey')];
        if (!Crypto::verifySignature(Crypto::getCanonicalMessage($document), $signature, $signer)) {
            throw new RefusedException('BadSignature: the signature does not fit');
        }
        return new self($document);
    }

    private static function checkTimes(JsonObject $document): void
    {
        foreach (['created_at', 'expires_at'] as $name) {
            if ($document->has($name) && !Form::isTime($document->get($name))) {
                $forms = '2025-01-02T03:04:05Z or 2025-01-02T03:04:05.678Z';
                throw new RefusedException("not a time of the form $forms");
            }
        }
    }

    /** Its hash, the id of the job. */
    public function getJobId(): string
    {
        return hash('sha256', Crypto::getCanonicalMessage($this->document));
    }

    /** The submitter's public key, 64 hexadecimal characters. */
    public function getSigner(): string
    {
        return $this->document->get('signer_pubkey');
    }

    /** The job specification. */
    public function getPayload(): JsonObject
    {
        return $this->document->get('payload');
    }

    /** The object `orlop` of the specification; empty in manifests of other programs. */
    public function getExtension(): JsonObject
    {
        $own = $this->getPayload()->get('orlop');
        return $own instanceof JsonObject ? $own : new JsonObject();
    }

    public function toJson(): string
    {
        return Json::encode($this->document);
    }
}
