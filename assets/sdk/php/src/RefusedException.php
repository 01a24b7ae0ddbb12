<?php

declare(strict_types=1);

namespace Orlop;

/** What was given is not what it should be; the message says why, in harmless text. */
final class RefusedException extends \RuntimeException
{
}
