<?php

declare(strict_types=1);

namespace Orlop;

/** A job under way. */
interface Execution
{
    /**
     * Waits for its end.
     *
     * @throws RefusedException the node refused the command line, or answered something else than it should
     * @throws UnavailableException the node's program ended without an answer
     */
    public function wait(): Result;

    /** Cancels it; it still gets a signed receipt. */
    public function cancel(): void;
}
