<?php

declare(strict_types=1);

namespace Orlop;

/** A signed job manifest, envelope v1, whose form and signature are right. */
final class SignedManifest
{
    private const SIZE_MAX = 131_072;
    private const FIELDS = ['created_at', 'payload', 'schema_version', 'signature', 'signer_pubkey'];

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
        if (!$document instanceof JsonObject) {
            throw new RefusedException('schema: not an object');
        }
        self::checkForm($document);
        $signer = $document->get('signer_pubkey');
        $signature = $document->get('signature');
        if (!is_string($signer) || !preg_match(Form::HEX64, $signer)) {
            throw new RefusedException('key: not 64 lower-case hexadecimal characters');
        }
        if (!is_string($signature) || !preg_match(Form::HEX128, $signature)) {
            throw new RefusedException('BadSignature: not 128 lower-case hexadecimal characters');
        }
        if (!Crypto::verifySignature(Crypto::getCanonicalMessage($document), $signature, $signer)) {
            throw new RefusedException('BadSignature: the signature does not fit');
        }
        return new self($document);
    }

    private static function checkForm(JsonObject $document): void
    {
        $version = $document->get('schema_version');
        if (!is_int($version) || $version < 1) {
            throw new RefusedException('schema: `schema_version` is not a version');
        }
        if ($version > 1) {
            throw new RefusedException("UnsupportedSchema: version $version is newer than 1");
        }
        $wrong = array_diff($document->keys(), [...self::FIELDS, 'expires_at']);
        array_push($wrong, ...array_diff(self::FIELDS, $document->keys()));
        if ($wrong) {
            sort($wrong, SORT_STRING);
            throw new RefusedException('schema: wrong fields: ' . Text::clean(implode(', ', $wrong), 120));
        }
        $payload = $document->get('payload');
        if (!$payload instanceof JsonObject || $payload->get('kind') !== 'wasm') {
            throw new RefusedException('schema: the payload is not a job of kind wasm');
        }
        foreach (['created_at', 'expires_at'] as $name) {
            if ($document->has($name) && !Form::isTime($document->get($name))) {
                $forms = '2025-01-02T03:04:05Z or 2025-01-02T03:04:05.678Z';
                throw new RefusedException("schema: not a time of the form $forms");
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
