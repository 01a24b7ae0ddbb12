<?php

declare(strict_types=1);

namespace Orlop;

/** What a schema cannot say of single values. */
final class Form
{
    private const TIME = '/\A([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{3}))?Z\z/';

    /**
     * An object with exactly these fields.
     *
     * @param list<string> $fields
     */
    public static function object(mixed $value, array $fields, string $path, string $of): JsonObject
    {
        if (!$value instanceof JsonObject) {
            throw new RefusedException("$path is not an object");
        }
        foreach ($fields as $name) {
            $value->has($name) ?: throw new RefusedException("`$name` is missing");
        }
        foreach (array_diff($value->keys(), $fields) as $name) {
            throw new RefusedException('`' . Text::clean($name, 60) . "` is not a field of $of");
        }
        return $value;
    }

    public static function count(mixed $value, string $name): int
    {
        return is_int($value) && $value >= 0 ? $value : throw new RefusedException("`$name` is not a count");
    }

    public static function text(mixed $value, string $form, string $name): string
    {
        if (is_string($value) && preg_match($form, $value)) {
            return $value;
        }
        $found = is_string($value) ? preg_match_all('/./su', $value) . ' characters' : 'no text';
        throw new RefusedException("`$name` does not have its form ($found)");
    }

    /** An array of bytes, as a text of them. */
    public static function octets(mixed $value, string $name, int $least, int $most): string
    {
        if (!is_array($value) || count($value) < $least || count($value) > $most) {
            throw new RefusedException("`$name` is not an array of $most bytes");
        }
        foreach ($value as $item) {
            if (!is_int($item) || $item < 0 || $item > 255) {
                throw new RefusedException("`$name` holds something that is not a byte");
            }
        }
        return pack('C*', ...$value);
    }

    /** Whether a text is a time as it is signed: an existing UTC second from 1970 on, `Z`, 0 or 3 digits of fraction. */
    public static function isTime(mixed $value): bool
    {
        if (!is_string($value) || !preg_match(self::TIME, $value, $match) || ($match[7] ?? '') === '000') {
            return false;
        }
        [$year, $month, $day, $hour, $minute, $second] = array_map('intval', array_slice($match, 1, 6));
        return $year >= 1970 && checkdate($month, $day, $year) && $hour < 24 && $minute < 60 && $second < 60;
    }
}
