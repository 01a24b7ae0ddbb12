<?php

// Verifies the catalogue of corpus.py; prints for each case its eight findings.

declare(strict_types=1);

require __DIR__ . '/../../assets/sdk/php/autoload.php';

set_error_handler(static function (int $level, string $message, string $file, int $line): never {
    throw new ErrorException($message, 0, $level, $file, $line); // a warning is a failure
});

$corpus = json_decode((string) file_get_contents($argv[1]), true, 16, JSON_THROW_ON_ERROR);
$blob = static fn (?int $number): ?string =>
    $number === null ? null : (string) base64_decode($corpus['blobs'][$number], true);
$verdicts = [];
foreach ($corpus['cases'] as $case) {
    $evidence = new Orlop\Evidence(
        $case['key'],
        $blob($case['manifest']),
        $case['module'],
        $blob($case['stdout']),
        $blob($case['stderr']),
        $blob($case['previous']),
    );
    $found = Orlop\Verifier::verify($blob($case['receipt']), $evidence);
    $verdicts[] = array_map(static fn (Orlop\Step $step): array => [$step->ok, $step->detail], $found->steps);
}
echo json_encode($verdicts, JSON_THROW_ON_ERROR);
