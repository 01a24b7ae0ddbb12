<?php

declare(strict_types=1);

namespace Orlop;

/** A signed job manifest, envelope v1, whose form and signature are right. */
final class SignedManifest
{
    private const SIZE_MAX = 131_072;
    private const HEX64 = '/\A[0-9a-f]{64}\z/';
    private const HEX128 = '/\A[0-9a-f]{128}\z/';

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
            $document = Json::decode($json, self::SIZE_MAX);
        } catch (RefusedException $error) {
            throw new RefusedException('schema: ' . $error->getMessage());
        }
        self::checkSignature($document);
        try {
            self::checkTimes(Schema::check('job-manifest.v1', $document));
        } catch (RefusedException $error) {
            throw new RefusedException('schema: ' . $error->getMessage());
        }
        return new self($document);
    }

    private static function checkSignature(mixed $document): void
    {
        if (!$document instanceof JsonObject) {
            throw new RefusedException('schema: expected an object');
        }
        $version = $document->get('schema_version');
        if (!is_int($version) || $version < 1) {
            throw new RefusedException('schema: schema_version: is not a version');
        }
        if ($version > 1) {
            throw new RefusedException("UnsupportedSchema: schema_version: $version is newer than 1");
        }
        [$signer, $signature] = [$document->get('signer_pubkey'), $document->get('signature')];
        if (!is_string($signer) || !preg_match(self::HEX64, $signer)) {
            throw new RefusedException('key: signer_pubkey: expected 64 lower-case hexadecimal characters');
        }
        if (!is_string($signature) || !preg_match(self::HEX128, $signature)) {
            throw new RefusedException('BadSignature: signature: expected 128 lower-case hexadecimal characters');
        }
        $message = Crypto::MANIFEST_DOMAIN . Json::encode($document->without('signature', 'signer_pubkey'));
        if (!Crypto::verifySignature($message, $signature, $signer)) {
            throw new RefusedException('BadSignature: the signature does not fit');
        }
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
