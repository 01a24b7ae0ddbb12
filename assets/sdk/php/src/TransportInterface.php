<?php

declare(strict_types=1);

namespace Orlop;

/** A way to a node that runs jobs. */
interface TransportInterface
{
    /**
     * Starts a job.
     *
     * @param string $path the module's file
     * @param Manifest $manifest its hash and its limits, all of which are passed on
     * @param string $stdin the guest's standard input
     * @throws RefusedException the file is not the module that the manifest names
     * @throws UnavailableException the node cannot be reached
     */
    public function execute(string $path, Manifest $manifest, string $stdin = '', Options $options = new Options()): Execution;
}
