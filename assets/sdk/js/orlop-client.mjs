// Runs jobs on this machine's node, or on a peer of it, from Node.js (18 or later): `orlop jobs run … --json` in a child process, no shell.
//
//   const client = new Client({ key: "12D3KooW…" });
//   const result = await client.createJob("hello.wasm").withMemory(64).submit("Hello").wait();

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { realpath } from "node:fs/promises";
import { pipeline } from "node:stream/promises";

import { RefusedError, UnavailableError, clean, decode, encode, pinnedKey, readReceipt, verify } from "./orlop-verify.mjs";

export { RefusedError, UnavailableError };

/** What each limit of a manifest v0.1 may be. */
const LIMITS = { cpu_cores: [1, 64], memory_mb: [1, 32_768], timeout_seconds: [1, 3600] };

const OTHER_LIMITS = ["dir-quota", "open-files", "stack", "table"];

/** The way in. */
export class Client {
  #program;
  #on;
  #key;

  /**
   * @param {object} [options]
   * @param {string} [options.mode] local (the default) or remote
   * @param {string} [options.peer] who runs the jobs of the mode remote: its name in this machine's book of peers, its
   *   PeerId, or a multiaddr that ends in that
   * @param {string} [options.orlopPath] the program's path, or its name in PATH
   * @param {string} [options.stateDir] the node's state directory; else the program's default
   * @param {string} [options.key] the key of the node that runs the jobs, 64 hexadecimal characters or a PeerId, under which every receipt must
   *   then verify
   * @throws {RefusedError} an option that does not exist, or a key that is none
   */
  constructor({ mode = "local", peer, orlopPath = "orlop", stateDir, key, ...unknown } = {}) {
    if (Object.keys(unknown).length) throw new RefusedError(`no option of the client: ${clean(Object.keys(unknown).join(", "), 100)}`);
    if (mode !== "local" && mode !== "remote") throw new RefusedError("`mode` is neither local nor remote");
    if ((mode === "remote") !== (peer !== undefined))
      throw new RefusedError("`peer` says who runs the jobs: the mode remote needs it, and no other has it");
    this.#on = peer === undefined ? [] : [`--on=${peer}`];
    this.#program = stateDir === undefined ? [orlopPath] : [orlopPath, "--state-dir", stateDir];
    this.#key = key === undefined ? null : pinnedKey(key);
  }

  /** A job of a module's file. */
  createJob(path) {
    return new Job(this.#program, path, this.#key, this.#on);
  }
}

/** A module that is to be run: limits, then `submit`, then `wait`. */
export class Job {
  #program;
  #path;
  #key;
  #limits = { cpu_cores: 1, memory_mb: 128, timeout_seconds: 300 };
  #options;
  #args = [];
  #abort = new AbortController();
  #running = null;

  constructor(program, path, key, options = []) {
    [this.#program, this.#path, this.#key, this.#options] = [program, path, key, [...options]];
  }

  /** @param {number} cores 1 to 64; its CPU time is so many times the time on the clock */
  withCpu(cores) {
    return this.#limit("cpu_cores", cores);
  }

  /** @param {number} mebibytes 1 to 32768 */
  withMemory(mebibytes) {
    return this.#limit("memory_mb", mebibytes);
  }

  /** @param {number} seconds on the clock, 1 to 3600 */
  withTimeout(seconds) {
    return this.#limit("timeout_seconds", seconds);
  }

  /** @param {number|bigint} fuel instructions, roughly */
  withFuel(fuel) {
    return this.#option(`--fuel=${fuel}`);
  }

  /** @param {number} bytes of stdout, and of stderr */
  withMaxOutput(bytes) {
    return this.#option(`--max-output=${bytes}`);
  }

  /**
   * @param {string} name `dir-quota`, `open-files`, `stack` or `table`
   * @param {string|number} value as `orlop jobs run` reads it, such as `64KiB`
   */
  withLimit(name, value) {
    if (!OTHER_LIMITS.includes(name)) throw new RefusedError(`no limit of a job: ${clean(String(name), 100)}`);
    return this.#option(`--${name}=${value}`);
  }

  /** @param {...string} args the guest's arguments */
  withArgs(...args) {
    this.#args = args;
    return this;
  }

  /** @param {Record<string, string>} env what the guest sees as its environment */
  withEnv(env) {
    return this.#option(...Object.entries(env).map(([name, value]) => `--env=${name}=${value}`));
  }

  /** @param {...string} dirs each `HOST:GUEST` or `HOST:GUEST:ro` */
  withDirs(...dirs) {
    return this.#option(...dirs.map((dir) => `--dir=${dir}`));
  }

  /**
   * Starts it and returns at once.
   *
   * @param {Uint8Array|string} [stdin] the guest's standard input
   */
  submit(stdin = "") {
    if (this.#running) throw new Error("this job was submitted already");
    this.#running = this.#run(stdin);
    this.#running.catch(() => {}); // whoever waits gets the error; until then it is nobody's
    return this;
  }

  /**
   * Waits for its end.
   *
   * @returns {Promise<Result>}
   * @throws {RefusedError} the node refused it; or the client has a key, and the receipt does not verify under it
   * @throws {UnavailableError} the node's program cannot be started, or ended without an answer
   */
  async wait() {
    if (!this.#running) throw new Error("submit the job first");
    return this.#running;
  }

  /** Cancels it; it still gets a signed receipt. */
  cancel() {
    this.#abort.abort();
  }

  #limit(name, value) {
    const [least, most] = LIMITS[name];
    if (!Number.isInteger(value) || value < least || value > most)
      throw new RefusedError(`\`${name}\` is not ${least} to ${most}`);
    this.#limits[name] = value;
    return this;
  }

  #option(...words) {
    this.#options.push(...words);
    return this;
  }

  async #run(stdin) {
    const { path, hash } = await moduleAt(this.#path);
    const { cpu_cores: cores, memory_mb: memory, timeout_seconds: seconds } = this.#limits;
    const limits = [`--memory=${memory}MiB`, `--timeout=${seconds}s`, `--cpu=${cores * seconds}s`];
    const words = ["jobs", "run", path, "--json", "--stdin", "-", ...limits, ...this.#options, "--", ...this.#args];
    const ended = await run([...this.#program, ...words], stdin, this.#abort.signal);
    const result = Result.of(ended, hash);
    if (this.#key && result.receipt && !(await result.verify(this.#key)))
      throw new RefusedError("the receipt does not verify under the key that was given");
    return result;
  }
}

/** How a job ended, as the node says; what of it is signed is in the receipt. */
export class Result {
  #document;
  #moduleHash;

  /** Made by `Job.wait`. */
  static of({ status, stdout, stderr }, moduleHash) {
    const message = clean(stderr.toString().trim());
    if (!stdout.length) throw new UnavailableError(message || `orlop ended with status ${status} and without an answer`);
    const document = decode(stdout, Number.MAX_SAFE_INTEGER);
    if (!(document instanceof Map) || document.has("error")) throw new RefusedError(message || "orlop refused the job");
    return new Result(document, moduleHash, message);
  }

  /** @private */
  constructor(document, moduleHash, message) {
    const [job, receipt] = [document.get("job"), document.get("receipt")];
    if (typeof job !== "string" || typeof document.get("outcome") !== "string" || typeof document.get("exit_code") !== "bigint")
      throw new RefusedError("not the answer of `orlop jobs run --json`");
    this.#document = document;
    this.#moduleHash = moduleHash;
    /** `exit`, `trap`, `fuel`, `memory`, `stack`, `output`, `deadline`, `cancelled`, `refused`, `lost` or `unverified`. */
    this.outcome = document.get("outcome");
    /** What `orlop jobs run` returned: the guest's code, or 124, 125, 134, 137. */
    this.exitCode = Number(document.get("exit_code"));
    this.jobId = job;
    this.truncated = document.get("truncated") === true;
    /** Why it ended otherwise than well, one line; else empty. */
    this.message = message;
    /** The receipt's canonical JSON; null when the guest never started. */
    this.receiptJson = receipt == null ? null : encode(receipt);
    /** The receipt as `readReceipt` gives it, or null. */
    this.receipt = this.receiptJson && readReceipt(this.receiptJson);
    if (this.receipt && (this.receipt.job !== job || this.receipt.extra.get("module_hash") !== moduleHash))
      throw new RefusedError("the receipt is that of another job or module");
    this.stdoutBytes = this.#stream("stdout");
    this.stderrBytes = this.#stream("stderr");
  }

  /** What the guest wrote, as text. */
  get stdout() {
    return this.stdoutBytes.toString();
  }

  get stderr() {
    return this.stderrBytes.toString();
  }

  /** Whether the guest ended by itself, with 0. */
  get success() {
    return this.outcome === "exit" && this.exitCode === 0;
  }

  /**
   * Holds the receipt against a key that the caller knows, the module, and the output.
   *
   * @param {string} key the node's: 64 hexadecimal characters or a PeerId
   * @returns {Promise<boolean>} false also when there is no receipt
   */
  async verify(key) {
    if (!this.receiptJson) return false;
    pinnedKey(key); // an undefined key would only be "unchecked"
    const evidence = { key, module: this.#moduleHash, stdout: this.stdoutBytes, stderr: this.stderrBytes };
    return (await verify(this.receiptJson, evidence)).ok === true;
  }

  #stream(name) {
    const [text, coded] = [this.#document.get(name), this.#document.get(`${name}_b64`)];
    if (typeof text === "string") return Buffer.from(text);
    if (typeof coded === "string") return Buffer.from(coded, "base64");
    throw new RefusedError(`\`${name}\` is missing in the answer`);
  }
}

async function moduleAt(given) {
  try {
    const path = await realpath(given);
    const digest = createHash("sha256");
    await pipeline(createReadStream(path), digest);
    return { path, hash: `sha256:${digest.digest("hex")}` };
  } catch (error) {
    throw new UnavailableError(`${clean(String(given), 200)}: ${error.code ?? "cannot be read"}`);
  }
}

/** Runs a program to its end; its output may be of any length, and it need not read its input. */
function run([program, ...args], stdin, signal) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: "pipe", shell: false });
    const streams = { stdout: [], stderr: [] };
    for (const [name, parts] of Object.entries(streams)) child[name].on("data", (part) => parts.push(part));
    const cancel = () => child.kill("SIGTERM");
    if (signal.aborted) cancel();
    signal.addEventListener("abort", cancel);
    child.on("error", (error) => reject(new UnavailableError(`${clean(program, 200)}: ${error.code ?? error.message}`)));
    child.on("close", (status) => {
      signal.removeEventListener("abort", cancel);
      resolve({ status, stdout: Buffer.concat(streams.stdout), stderr: Buffer.concat(streams.stderr) });
    });
    child.stdin.on("error", () => {}); // it ended before it had read all
    child.stdin.end(stdin);
  });
}
