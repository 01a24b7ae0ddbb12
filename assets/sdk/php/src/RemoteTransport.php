<?php

declare(strict_types=1);

namespace Orlop;

/**
 * Has a peer run jobs: `orlop jobs run … --on PEER`. The program carries them there and verifies what comes back under
 * the key that the peer proved; what it does not believe ends as `unverified`.
 */
final class RemoteTransport implements TransportInterface
{
    private readonly LocalTransport $program;

    /**
     * @param string $peer its name in this machine's book of peers, its PeerId, or a multiaddr that ends in that
     * @param string $program the program's path, or its name in `PATH`
     * @param string|null $stateDir the state directory of this machine's node; null: the program's default
     */
    public function __construct(string $peer, string $program = 'orlop', ?string $stateDir = null)
    {
        $this->program = new LocalTransport($program, $stateDir, ["--on=$peer"]);
    }

    public function execute(string $path, Manifest $manifest, string $stdin = '', Options $options = new Options()): Execution
    {
        return $this->program->execute($path, $manifest, $stdin, $options);
    }
}
