<?php

declare(strict_types=1);

namespace Orlop;

/** The way in. */
final class Client
{
    private readonly TransportInterface $transport;
    private readonly ?string $key;

    /**
     * @param array{mode?: string, orlop_path?: string, state_dir?: string, key?: string} $options `mode`: local (the
     *     default) or remote; `orlop_path`: the program; `state_dir`: its state directory; `key`: the node's key, under
     *     which every receipt must then verify
     * @throws RefusedException an option that does not exist, or a key that is none
     */
    public function __construct(array $options = [])
    {
        if ($unknown = array_diff(array_keys($options), ['mode', 'orlop_path', 'state_dir', 'key'])) {
            throw new RefusedException('no option of the client: ' . Text::clean(implode(', ', $unknown), 100));
        }
        $this->key = isset($options['key']) ? Crypto::publicKey($options['key']) : null;
        $this->transport = match ($options['mode'] ?? 'local') {
            'local' => new LocalTransport($options['orlop_path'] ?? 'orlop', $options['state_dir'] ?? null),
            'remote' => throw new RefusedException('the mode remote is not yet implemented'),
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
