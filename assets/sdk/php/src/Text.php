<?php

declare(strict_types=1);

namespace Orlop;

/** Text that is not ours. */
final class Text
{
    /** One harmless line: whatever is not printable ASCII becomes a visible escape. */
    public static function clean(string $text, int $limit = 500): string
    {
        $shown = preg_replace_callback(
            '/[^ -~]/',
            static fn (array $match): string => sprintf('\\x%02x', ord($match[0])),
            substr($text, 0, $limit + 1),
        ) ?? '';
        return strlen($shown) <= $limit ? $shown : substr($shown, 0, $limit - 1) . '…';
    }
}
