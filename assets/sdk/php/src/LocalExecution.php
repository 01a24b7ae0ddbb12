<?php

declare(strict_types=1);

namespace Orlop;

/** A job in a child process of ours. Its streams are files, so that nobody waits for anybody to read. */
final class LocalExecution implements Execution
{
    private const SIGTERM = 15;
    private const NOT_FOUND = 127; // what the child of `proc_open` ends with when there is no such program

    /**
     * @param resource|null $process
     * @param resource $stdout
     * @param resource $stderr
     */
    private function __construct(
        private $process,
        private $stdout,
        private $stderr,
        private readonly string $program,
        private readonly string $moduleHash,
    ) {
    }

    /** @param list<string> $command the program and its arguments; no shell reads them */
    public static function start(array $command, string $stdin, string $moduleHash): self
    {
        [$in, $out, $err] = [self::file($stdin), self::file(), self::file()];
        $process = @proc_open($command, [$in, $out, $err], $pipes);
        if ($process === false) {
            throw new UnavailableException(Text::clean($command[0], 200) . ': cannot be started');
        }
        return new self($process, $out, $err, $command[0], $moduleHash);
    }

    public function __destruct()
    {
        if ($this->process !== null) {
            $this->cancel();
            proc_close($this->process);
        }
    }

    public function wait(): Result
    {
        if ($this->process === null) {
            throw new \LogicException('this job was waited for already');
        }
        $status = proc_close($this->process);
        $this->process = null;
        $message = Text::clean(trim(self::content($this->stderr)));
        $answer = self::content($this->stdout);
        if ($answer === '') {
            $why = $status === self::NOT_FOUND ? 'cannot be started' : "ended with status $status and without an answer";
            throw new UnavailableException($message ?: Text::clean($this->program, 200) . ": $why");
        }
        $document = Json::decode($answer);
        if (!$document instanceof JsonObject || $document->has('error')) {
            throw new RefusedException($message ?: 'orlop refused the job');
        }
        return Result::fromDocument($document, $this->moduleHash, $message);
    }

    public function cancel(): void
    {
        $this->process !== null && proc_terminate($this->process, self::SIGTERM);
    }

    /** @return resource */
    private static function file(string $content = '')
    {
        $file = tmpfile();
        if ($file === false || fwrite($file, $content) !== strlen($content) || !rewind($file)) {
            throw new UnavailableException('a temporary file cannot be written');
        }
        return $file;
    }

    /** @param resource $file */
    private static function content($file): string
    {
        rewind($file);
        return (string) stream_get_contents($file);
    }
}
