<?php

declare(strict_types=1);

namespace Orlop;

/** What is signed and hashed, byte for byte. */
final class Crypto
{
    public const RECEIPT_DOMAIN = 'phase-receipt:v1:';
    public const MANIFEST_DOMAIN = 'phase-manifest:v1:';

    private const HEX64 = '/\A[0-9a-f]{64}\z/';
    private const CHUNK = 65_536;
    private const BASE58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
    private const PEER_ID = "\x00\x24\x08\x01\x12\x20";

    /**
     * The bytes that the signature of an envelope covers: the domain, then the canonical JSON of what is signed.
     *
     * @param JsonObject $envelope a receipt or a signed manifest, version 1; only its own fields are in the message
     * @throws RefusedException it is neither of the two
     */
    public static function getCanonicalMessage(JsonObject $envelope): string
    {
        [$domain, $key] = match ([$envelope->has('worker_pubkey'), $envelope->has('signer_pubkey')]) {
            [true, false] => [self::RECEIPT_DOMAIN, 'worker_pubkey'],
            [false, true] => [self::MANIFEST_DOMAIN, 'signer_pubkey'],
            default => throw new RefusedException('neither a receipt nor a signed manifest of version 1'),
        };
        return $domain . self::canonicalJsonEncode($envelope->without($key, 'signature'));
    }

    /** See `Json::encode`. */
    public static function canonicalJsonEncode(mixed $value): string
    {
        return Json::encode($value);
    }

    /**
     * Whether an Ed25519 signature over a message was made with a key.
     *
     * @param string $message the bytes that were signed, domain included
     * @param string $signature 128 lower-case hexadecimal characters
     * @param string $key 64 lower-case hexadecimal characters
     */
    public static function verifySignature(string $message, string $signature, string $key): bool
    {
        if (!preg_match('/\A[0-9a-f]{128}\z/', $signature) || !preg_match(self::HEX64, $key)) {
            return false;
        }
        return sodium_crypto_sign_verify_detached(sodium_hex2bin($signature), $message, sodium_hex2bin($key));
    }

    /**
     * The commitment over two complete streams.
     *
     * @return array{string, int} 64 hexadecimal characters, and how many chunks went in
     */
    public static function commitment(string $stdout, string $stderr): array
    {
        $state = hash('sha256', 'phase-protocol:v1:commitment', true);
        $number = 0;
        foreach (['stdout' => $stdout, 'stderr' => $stderr] as $kind => $stream) {
            for ($start = 0; $start < strlen($stream); $start += self::CHUNK) {
                $data = substr($stream, $start, self::CHUNK);
                $head = pack('JN', $number++, strlen($kind)) . $kind . pack('N', strlen($data));
                $state = hash('sha256', $state . $head . $data, true);
            }
        }
        return [bin2hex($state), $number];
    }

    /** How manifests and receipts name a module: `sha256:` and 64 hexadecimal characters of its bytes' hash. */
    public static function moduleName(string $module): string
    {
        return 'sha256:' . hash('sha256', $module);
    }

    /**
     * Reads a key that somebody gave.
     *
     * @param string $given 64 hexadecimal characters, or a PeerId
     * @return string 64 lower-case hexadecimal characters
     * @throws RefusedException neither of the two
     */
    public static function publicKey(string $given): string
    {
        if (preg_match(self::HEX64, strtolower($given))) {
            return strtolower($given);
        }
        // A PeerId of an Ed25519 key has 52 characters; its first byte is 0, which base58 writes as one `1`.
        if (preg_match('/\A1[1-9A-HJ-NP-Za-km-z]{51}\z/', $given)) {
            $bytes = self::base58($given);
            if ($bytes !== null && str_starts_with($bytes, self::PEER_ID)) {
                return bin2hex(substr($bytes, strlen(self::PEER_ID)));
            }
        }
        throw new RefusedException('the key is neither 64 hexadecimal characters nor a PeerId');
    }

    /** The 38 bytes of a base58 text; null when it holds more. */
    private static function base58(string $text): ?string
    {
        $bytes = array_fill(0, 38, 0);
        foreach (str_split($text) as $char) {
            $carry = (int) strpos(self::BASE58, $char);
            for ($at = 37; $at >= 0; $at--) {
                $carry += 58 * $bytes[$at];
                $bytes[$at] = $carry & 0xFF;
                $carry >>= 8;
            }
            if ($carry !== 0) {
                return null;
            }
        }
        return pack('C*', ...$bytes);
    }
}
