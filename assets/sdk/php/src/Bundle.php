<?php

declare(strict_types=1);

namespace Orlop;

/** A proof bundle: a receipt, and as far as they are in it its manifest, its output and how the node's keys followed. */
final class Bundle
{
    /** @param list<KeyStatement> $statements */
    private function __construct(
        public readonly Receipt $receipt,
        public readonly ?string $manifest,
        public readonly array $statements,
        public readonly ?string $stdout,
        public readonly ?string $stderr,
    ) {
    }

    /**
     * Reads a bundle strictly; of its signatures only those of the key statements are checked.
     *
     * @throws RefusedException it has another form, or a part of it has; the message names the path
     */
    public static function of(JsonObject $document): self
    {
        Schema::check('bundle.v1', $document);
        try {
            $receipt = Receipt::envelopeFromJson(Json::encode($document->get('receipt')));
        } catch (RefusedException $error) {
            throw new RefusedException('receipt: ' . $error->getMessage());
        }
        $key = $document->get('key');
        if ($key->get('public') !== $receipt->getWorkerKey()) {
            throw new RefusedException("key.public: another key than the receipt's");
        }
        $outputs = $document->get('outputs');
        return new self(
            $receipt,
            $document->has('manifest') ? Json::encode($document->get('manifest')) : null,
            self::statements($key->get('statements')),
            $outputs === null ? null : self::output($outputs->get('stdout'), 'outputs.stdout'),
            $outputs === null ? null : self::output($outputs->get('stderr'), 'outputs.stderr'),
        );
    }

    /**
     * @param list<JsonObject> $documents
     * @return list<KeyStatement>
     */
    private static function statements(array $documents): array
    {
        $found = [];
        foreach ($documents as $index => $document) {
            try {
                $found[] = KeyStatement::of($document);
            } catch (RefusedException $error) {
                throw new RefusedException("key.statements[$index]: " . $error->getMessage());
            }
        }
        return $found;
    }

    private static function output(string $text, string $path): string
    {
        $bytes = base64_decode($text, true);
        if ($bytes === false || base64_encode($bytes) !== $text) {
            throw new RefusedException("$path: is not base64 in its one spelling");
        }
        return $bytes;
    }
}
