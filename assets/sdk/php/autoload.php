<?php

declare(strict_types=1);

// For those without Composer: `require '…/autoload.php';` and the classes of the namespace Orlop are there.
spl_autoload_register(static function (string $class): void {
    if (preg_match('/\AOrlop\\\\([A-Za-z]+)\z/', $class, $match) && is_file($file = __DIR__ . "/src/$match[1].php")) {
        require $file;
    }
});
