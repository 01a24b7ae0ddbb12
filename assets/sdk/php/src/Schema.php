<?php

declare(strict_types=1);

namespace Orlop;

/** The JSON Schemas of what is signed, in `schemas/` beside this folder: the keywords of draft-07 that they use. */
final class Schema
{
    private const IGNORED = ['$schema', 'title', 'definitions', 'description', 'then', 'else'];

    /** @var array<string, JsonObject> */
    private static array $read = [];

    private function __construct(private readonly JsonObject $root)
    {
    }

    /**
     * Holds a document against a schema.
     *
     * @param string $name the schema's file without its ending
     * @param mixed $document what `Json::decode` gave
     * @return JsonObject the document
     * @throws RefusedException it does not fit; the message names the path in it
     */
    public static function check(string $name, mixed $document): JsonObject
    {
        $file = dirname(__DIR__) . "/schemas/$name.json";
        $schema = self::$read[$name] ??= Json::decode((string) file_get_contents($file));
        (new self($schema))->fit($document, $schema, '');
        return $document;
    }

    private function fit(mixed $value, JsonObject $schema, string $path): void
    {
        foreach ($schema as $keyword => $given) {
            if (in_array($keyword, self::IGNORED, true) || $this->leadsOn($keyword, $given, $value, $schema, $path)) {
                continue;
            }
            if (!self::holds($keyword, $given, $value)) {
                $expected = $schema->get('description') ?? 'an object';
                self::refuse($path, '', "expected $expected, found " . self::found($value));
            }
        }
    }

    /** The keywords that lead to other schemas or name a field; whether this is one. */
    private function leadsOn(string $keyword, mixed $given, mixed $value, JsonObject $schema, string $path): bool
    {
        match ($keyword) {
            '$ref' => $this->fit($value, $this->definition($given), $path),
            'required' => $this->required($given, $value, $path),
            'properties' => $this->properties($given, $value, $path),
            'additionalProperties' => $this->others($given, $value, $schema->get('properties'), $path),
            'items' => $this->items($given, $value, $path),
            'dependencies' => $this->dependencies($given, $value, $path),
            'if' => $this->branch($given, $value, $schema, $path),
            default => $keyword = null,
        };
        return $keyword !== null;
    }

    private static function holds(string $keyword, mixed $given, mixed $value): bool
    {
        $length = is_string($value) ? preg_match_all('/./su', $value) : null;
        $items = is_array($value) ? count($value) : null;
        $fields = $value instanceof JsonObject ? count($value) : null;
        return match ($keyword) {
            'type' => array_filter((array) $given, static fn (string $type): bool => self::is($type, $value)) !== [],
            'const' => $value === $given,
            'enum' => in_array($value, $given, true),
            'pattern' => !is_string($value) || preg_match("~$given~Du", $value) === 1,
            'maxLength' => $length === null || $length <= $given,
            'minLength' => $length === null || $length >= $given,
            'minimum' => !is_int($value) || $value >= $given,
            'maximum' => !is_int($value) || $value <= $given,
            'minItems' => $items === null || $items >= $given,
            'maxItems' => $items === null || $items <= $given,
            'minProperties' => $fields === null || $fields >= $given,
            'maxProperties' => $fields === null || $fields <= $given,
            default => throw new \LogicException("the schema keyword $keyword is not known here"),
        };
    }

    private static function is(string $type, mixed $value): bool
    {
        return match ($type) {
            'object' => $value instanceof JsonObject,
            'array' => is_array($value),
            'string' => is_string($value),
            'integer' => is_int($value),
            'boolean' => is_bool($value),
            'null' => $value === null,
            default => throw new \LogicException("the schema type $type is not known here"),
        };
    }

    private function definition(string $ref): JsonObject
    {
        return $this->root->get('definitions')->get(substr($ref, strlen('#/definitions/')));
    }

    /** @param list<string> $names */
    private function required(array $names, mixed $value, string $path): void
    {
        foreach ($value instanceof JsonObject ? array_diff($names, $value->keys()) : [] as $name) {
            self::refuse($path, $name, 'is missing');
        }
    }

    private function properties(JsonObject $schemas, mixed $value, string $path): void
    {
        foreach ($value instanceof JsonObject ? $schemas : [] as $name => $schema) {
            $value->has($name) && $this->fit($value->get($name), $schema, self::inside($path, $name));
        }
    }

    private function others(bool|JsonObject $schema, mixed $value, ?JsonObject $known, string $path): void
    {
        foreach ($value instanceof JsonObject ? $value : [] as $name => $item) {
            if ($known?->has($name)) {
                continue;
            }
            $schema instanceof JsonObject
                ? $this->fit($item, $schema, self::inside($path, $name))
                : self::refuse($path, $name, 'is not a field of this version');
        }
    }

    private function items(JsonObject $schema, mixed $value, string $path): void
    {
        foreach (is_array($value) ? $value : [] as $index => $item) {
            $this->fit($item, $schema, "{$path}[$index]");
        }
    }

    private function dependencies(JsonObject $needs, mixed $value, string $path): void
    {
        foreach ($value instanceof JsonObject ? $needs : [] as $name => $others) {
            if ($value->has($name) && array_diff($others, $value->keys())) {
                $all = $needs->keys();
                sort($all, SORT_STRING);
                self::refuse($path, '', implode(' and ', $all) . ' come together or not at all');
            }
        }
    }

    private function branch(JsonObject $condition, mixed $value, JsonObject $schema, string $path): void
    {
        try {
            $this->fit($value, $condition, $path);
            $branch = $schema->get('then');
        } catch (RefusedException) {
            $branch = $schema->get('else');
        }
        $branch !== null && $this->fit($value, $branch, $path);
    }

    private static function inside(string $path, string $name): string
    {
        return $path === '' ? $name : "$path.$name";
    }

    private static function refuse(string $path, string $name, string $why): never
    {
        $where = Text::clean($name === '' ? $path : self::inside($path, $name), 160);
        throw new RefusedException($where === '' ? $why : "$where: $why");
    }

    /** What stands there instead, without repeating it. */
    private static function found(mixed $value): string
    {
        return match (true) {
            is_string($value) => preg_match_all('/./su', $value) . ' characters',
            is_array($value) => 'an array of ' . count($value),
            $value instanceof JsonObject => 'an object of ' . count($value),
            is_int($value) => (string) $value,
            default => $value === null ? 'null' : var_export($value, true),
        };
    }
}
