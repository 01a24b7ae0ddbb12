<?php

declare(strict_types=1);

namespace Orlop;

/** Something outside could not be used: the orlop program, a file. Never the receipt's fault. */
final class UnavailableException extends \RuntimeException
{
}
