<?php

declare(strict_types=1);

namespace Orlop;

/** That one key of a node came after another; each of the two signed it. */
final class KeyStatement
{
    private const DOMAIN = 'orlop-key:v1:';

    private function __construct(public readonly string $old, public readonly string $new)
    {
    }

    /**
     * @param JsonObject $document a statement that has the form of the schema `bundle.v1`
     * @throws RefusedException a signature does not fit
     */
    public static function of(JsonObject $document): self
    {
        if (!Form::isTime($document->get('created_at'))) {
            throw new RefusedException('not a time');
        }
        [$old, $new] = [$document->get('old'), $document->get('new')];
        $message = self::DOMAIN . Json::encode($document->without('signature', 'confirmation'));
        foreach (['signature' => $old, 'confirmation' => $new] as $name => $key) {
            if ($old === $new || !Crypto::verifySignature($message, $document->get($name), $key)) {
                throw new RefusedException("$name: does not fit");
            }
        }
        return new self($old, $new);
    }

    /**
     * How many rotations lie between two keys of one node, whichever is the younger; null when nothing connects them.
     *
     * @param list<self> $statements
     */
    public static function between(array $statements, string $known, string $key): ?int
    {
        $before = [];
        foreach ($statements as $statement) {
            $before["k$statement->new"] = $statement->old;
        }
        foreach ([[$known, $key], [$key, $known]] as [$younger, $older]) {
            $line = [];
            for ($next = $younger; $next !== null && !in_array($next, $line, true); $next = $before["k$next"] ?? null) {
                $line[] = $next;
            }
            $turns = array_search($older, $line, true);
            if ($turns !== false) {
                return $turns;
            }
        }
        return null;
    }
}
