<?php

declare(strict_types=1);

namespace Orlop;

/** The way in. */
final class Client
{
    private readonly TransportInterface $transport;
    private readonly ?string $key;

    /**
     * @param array{mode?: string, peer?: string, orlop_path?: string, state_dir?: string, key?: string} $options
     *     `mode`: local (the default) or remote; `peer`: who runs the jobs of the mode remote; `orlop_path`: the
     *     program; `state_dir`: its state directory; `key`: the key of the node that runs the jobs, under which every
     *     receipt must then verify
     * @throws RefusedException an option that does not exist, or a key that is none
     */
    public function __construct(array $options = [])
    {
        if ($unknown = array_diff(array_keys($options), ['mode', 'peer', 'orlop_path', 'state_dir', 'key'])) {
            throw new RefusedException('no option of the client: ' . Text::clean(implode(', ', $unknown), 100));
        }
        $this->key = isset($options['key']) ? Crypto::publicKey($options['key']) : null;
        $program = [$options['orlop_path'] ?? 'orlop', $options['state_dir'] ?? null];
        $mode = $options['mode'] ?? 'local';
        if (($mode === 'remote') !== isset($options['peer'])) {
            throw new RefusedException('`peer` says who runs the jobs: the mode remote needs it, and no other has it');
        }
        $this->transport = match ($mode) {
            'local' => new LocalTransport(...$program),
            'remote' => new RemoteTransport($options['peer'], ...$program),
            default => throw new RefusedException('`mode` is neither local nor remote'),
        };
    }

    /**
     * A job of a module's file.
     *
     * @throws UnavailableException the file cannot be read
     */
    public function createJob(string $path): Job
    {
        return new Job($this->transport, $path, $this->key);
    }

    public function getTransport(): TransportInterface
    {
        return $this->transport;
    }
}
