// Verifies orlop's receipts in Node (18 or later) and in browsers; one file, no dependency, no network.
//
// The same eight steps, in the same order and with the same words, as `orlop receipts verify`. A step is false only
// when something contradicts the receipt, and null when there was nothing to hold it against. A receipt is never valid
// without a key that the caller knows from elsewhere: `evidence.key`.
//
// Ed25519 and SHA-256 are those of WebCrypto. Integers are BigInt, objects are Map: a JavaScript number would lose what
// was signed above 2^53, and a plain object cannot hold every key.

export const STEPS = ["schema", "canonical", "key", "signature", "job_id", "module", "commitment", "chain"];

const REQUIRED = 4; // the first so many steps must be true
const RECEIPT_MAX = 262_144;
const MANIFEST_MAX = 131_072;
const LIMITS_MAX = 4096;
const DEPTH_MAX = 64;
const INTEGER_MAX = 2n ** 63n - 1n;
const CHUNK = 65_536;
const RECEIPT_DOMAIN = "phase-receipt:v1:";
const MANIFEST_DOMAIN = "phase-manifest:v1:";
const FIRST_PREVIOUS = "0".repeat(64);

const ENVELOPE = ["completed_at", "job_id", "result", "schema_version", "signature", "worker_pubkey"];
const RESULT = ["completion", "job_spec_hash", "metrics", "output_chunk_count", "output_commitment", "resumption"];
const METRICS = ["completion_tokens", "extra", "prompt_tokens", "total_duration_ms"];
const RESUMPTION = ["issuer", "state", "valid_until_unix_ms"];
const MANIFEST = ["created_at", "payload", "schema_version", "signature", "signer_pubkey"];
const UNSIGNED = new Set(["signature", "signer_pubkey", "worker_pubkey"]);

const HEX64 = /^[0-9a-f]{64}$/;
const HEX128 = /^[0-9a-f]{128}$/;
const DECIMAL = /^(?:0|[1-9][0-9]{0,17})$/;
const EXTRA = {
  exit_code: DECIMAL,
  module_hash: /^sha256:[0-9a-f]{64}$/,
  "orlop.argv_sha256": HEX64,
  "orlop.dirs_sha256": HEX64,
  "orlop.env_sha256": HEX64,
  "orlop.fuel_used": DECIMAL,
  "orlop.nonce": /^[0-9a-f]{32}$/,
  "orlop.prev": HEX64,
  "orlop.seq": DECIMAL,
  "orlop.stdin_sha256": HEX64,
};
const COMPLETED = /^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?Z$/;
const SIGNED_TIME = /^([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{3}))?Z$/;

const utf8 = new TextEncoder();
const webcrypto = globalThis.crypto ?? (await import("node:crypto")).webcrypto;

/** What was given is not what it should be; the message says why, in harmless text. */
export class RefusedError extends Error {
  name = "RefusedError";
}

/** This runtime cannot check: it has no Ed25519 or no WebCrypto. Never the receipt's fault. */
export class UnavailableError extends Error {
  name = "UnavailableError";
}

// ── Verification ────────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * Verifies a receipt; never throws for anything that the receipt or the evidence holds.
 *
 * @param {Uint8Array|ArrayBuffer|string} raw the receipt as it was received: bytes, or their text
 * @param {object} [evidence] what to hold it against; what is missing leaves its step null
 * @param {string} [evidence.key] the worker's key as the caller knows it: 64 hexadecimal characters, or a PeerId
 * @param {Uint8Array|string} [evidence.manifest] the signed job manifest, JSON
 * @param {string} [evidence.module] the module's hash: `sha256:` and 64 hexadecimal characters; see `moduleName`
 * @param {Uint8Array|string} [evidence.stdout] everything that the job wrote there; likewise `stderr`
 * @param {Uint8Array|string} [evidence.previous] the preceding receipt of the same key, JSON
 * @returns {Promise<{ok: boolean|null, verdict: string, steps: {name: string, ok: boolean|null, detail: string}[]}>}
 * @throws {RefusedError} `evidence.key` is no key
 * @throws {UnavailableError} there is no WebCrypto here
 */
export async function verify(raw, evidence = {}) {
  const key = evidence.key == null ? null : pinnedKey(evidence.key);
  const given = bytesOf(raw);
  const findings = await findingsOf(given, { ...evidence, key });
  const steps = STEPS.map((name, at) => ({ name, ok: findings[at][0], detail: findings[at][1] }));
  const ok = steps.some((step) => step.ok === false) ? false : steps.slice(0, REQUIRED).every((step) => step.ok) || null;
  return { ok, verdict: ok ? "valid" : ok === false ? "invalid" : "unchecked", steps };
}

async function findingsOf(raw, evidence) {
  let receipt;
  try {
    receipt = readReceipt(raw);
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    return [[false, error.message], ...STEPS.slice(1).map(() => [null, "not checked: this is no receipt"])];
  }
  const [manifest, badManifest] = await manifestOf(evidence.manifest); // the second: why there is no first
  return [
    [true, "receipt version 1"],
    canonicalStep(raw, receipt),
    keyStep(receipt, evidence.key),
    await signatureStep(receipt),
    await jobIdStep(receipt, manifest, badManifest),
    moduleStep(receipt, manifest, evidence.module ?? null),
    await commitmentStep(receipt, evidence.stdout, evidence.stderr),
    await chainStep(receipt, evidence.previous),
  ];
}

function canonicalStep(raw, receipt) {
  const fraction = receipt.completedAt.slice(0, -1).split(".")[1] ?? "";
  if (fraction && (fraction.length % 3 || fraction.endsWith("000")))
    return [false, "the fraction of `completed_at` is not in its shortest form of 3, 6 or 9 digits"];
  let end = raw.length;
  if (raw[end - 1] === 0x0a) end -= raw[end - 2] === 0x0d ? 2 : 1;
  if (raw[0] !== 0x7b || raw[end - 1] !== 0x7d)
    return [false, "something stands before or behind the document"];
  const same = equal(raw.subarray(0, end), encode(receipt.document));
  return [true, same ? "canonical JSON" : "has one canonical form; the file is laid out differently"];
}

function keyStep(receipt, key) {
  const short = receipt.worker.slice(0, 16);
  if (key === null) return [null, `nothing is known of key ${short}…; give the worker's key to check it`];
  return receipt.worker === key
    ? [true, "the key that was given"]
    : [false, `signed by ${short}…, not by the key that was given`];
}

async function signatureStep(receipt) {
  try {
    const fits = await verifySignature(receipt.message, receipt.signature, receipt.worker);
    return [fits, fits ? "Ed25519 over the canonical message" : "does not fit the message and the key"];
  } catch (error) {
    if (!(error instanceof UnavailableError)) throw error;
    return [null, `not checked: ${error.message}`];
  }
}

async function manifestOf(raw) {
  if (raw == null) return [null, null];
  try {
    return [await readManifest(raw), null];
  } catch (error) {
    if (error instanceof UnavailableError) return [null, [null, `not checked: ${error.message}`]];
    if (error instanceof RefusedError) return [null, [false, `the manifest is bad: ${error.message}`]];
    throw error;
  }
}

async function jobIdStep(receipt, manifest, badManifest) {
  if (receipt.specHash !== receipt.job) return [false, "`job_id` and `job_spec_hash` differ"];
  if (badManifest) return badManifest;
  if (!manifest) return [null, "no manifest to compare with; the two ids in the receipt agree"];
  if (manifest.job !== receipt.job) return [false, `the manifest is that of job ${manifest.job.slice(0, 16)}…`];
  const wrong = await contradiction(receipt, manifest);
  return wrong ? [false, wrong] : [true, "the manifest's hash, and what the receipt repeats of it"];
}

/** What the receipt states of the job otherwise than the manifest; empty when nothing. */
async function contradiction(receipt, manifest) {
  const own = manifest.extension;
  const expected = [];
  for (const name of ["nonce", "stdin_sha256"])
    if (typeof own.get(name) === "string") expected.push([`orlop.${name}`, own.get(name)]);
  for (const name of ["argv", "env", "dirs"])
    if (own.has(name)) expected.push([`orlop.${name}_sha256`, await sha256Hex(encode(own.get(name)))]);
  for (const [name, text] of expected)
    if ((receipt.extra.get(name) ?? text) !== text) return `\`${name}\` does not fit the manifest`;
  return aboveManifest(receipt.extra.get("orlop.limits"), manifest);
}

function aboveManifest(limits, manifest) {
  if (limits === undefined) return "";
  let ran = null;
  try {
    ran = decode(utf8.encode(limits), LIMITS_MAX);
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
  }
  if (!(ran instanceof Map)) return "`orlop.limits` is not a JSON object";
  const own = manifest.extension;
  const allowed = [
    ["memory_bytes", manifest.payload.get("max_memory_bytes")],
    ["timeout_ms", manifest.payload.get("max_duration_ms")],
    ["fuel", own.get("fuel")],
    ["max_output_bytes", own.get("max_output_bytes")],
  ];
  for (const [name, most] of allowed) {
    const used = ran.get(name);
    if (typeof most === "bigint" && typeof used === "bigint" && used > most)
      return `it ran with ${name} ${used}, the manifest allows ${most}`;
  }
  return "";
}

function moduleStep(receipt, manifest, module) {
  const stated = receipt.extra.get("module_hash");
  const asked = manifest?.payload.get("module_cid");
  if (stated === undefined) return [null, "the receipt names no module"];
  if (module !== null && module !== stated) return [false, "another module than the one that was given"];
  if (typeof asked === "string" && asked.startsWith("sha256:") && asked !== stated)
    return [false, "another module than the one in the manifest"];
  if (module !== null) return [true, "the module that was given"];
  return asked === stated ? [true, "the module that the manifest names"] : [null, "no module to compare with"];
}

async function commitmentStep(receipt, stdout, stderr) {
  if (stdout == null && stderr == null) return [null, "no output to compare with"];
  const made = await commit(stdout ?? "", stderr ?? "");
  if (made.digest === receipt.commitment && made.count === receipt.chunks)
    return [true, `the output, ${made.count} chunk${made.count === 1n ? "" : "s"}`];
  const missing = stderr == null ? "stderr" : stdout == null ? "stdout" : "";
  if (missing && receipt.chunks > made.count)
    return [null, `${missing} is not given, and the receipt covers more output`];
  return [false, "another output than the one that was given"];
}

async function chainStep(receipt, previous) {
  if (!receipt.place) return [null, "in no chain"];
  const { number, previous: before } = receipt.place;
  if ((number === 0n) !== (before === FIRST_PREVIOUS))
    return [false, "only the first receipt of a key, number 0, has no predecessor"];
  if (previous != null) return followsStep(receipt, bytesOf(previous));
  if (number === 0n) return [true, "the first of its key"];
  return [null, `number ${number}; its predecessor is not here`];
}

async function followsStep(receipt, raw) {
  const { number, previous } = receipt.place;
  let before;
  try {
    before = readReceipt(raw);
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    return [false, `the preceding receipt is bad: ${error.message}`];
  }
  if (before.worker !== receipt.worker) return [false, "the preceding receipt is of another key"];
  const [fits, why] = await signatureStep(before);
  if (fits === null) return [null, why];
  if (!fits) return [false, "the preceding receipt's signature does not fit"];
  if ((await receiptId(before)) !== previous || !before.place || before.place.number !== number - 1n)
    return [false, "does not follow the receipt that was given"];
  return [true, `number ${number}, follows the receipt that was given`];
}

// ── Receipts and manifests ──────────────────────────────────────────────────────────────────────────────────────────

/**
 * Reads a receipt, envelope v1, strictly; whether it is true is the business of `verify`.
 *
 * @param {Uint8Array|ArrayBuffer|string} raw its JSON
 * @returns {object} `document` (Map), `worker`, `job`, `specHash`, `commitment` (hexadecimal), `chunks` (BigInt),
 *   `completion`, `completedAt`, `durationMs` (BigInt), `extra` (Map of texts), `place` ({number, previous} or null),
 *   `message` (the signed bytes, domain included), `signature` (hexadecimal)
 * @throws {RefusedError} not JSON, a field missing, unknown or of a wrong type; the message names it
 */
export function readReceipt(raw) {
  const envelope = fieldsOf(decode(bytesOf(raw), RECEIPT_MAX), ENVELOPE, "the document");
  const version = count(envelope.get("schema_version"), "schema_version");
  if (version !== 1n) throw new RefusedError(`\`schema_version\` is ${version}, only 1 is known`);
  const result = fieldsOf(envelope.get("result"), RESULT, "result");
  const metrics = fieldsOf(result.get("metrics"), METRICS, "result.metrics");
  for (const name of ["prompt_tokens", "completion_tokens"]) count(metrics.get(name), name);
  checkResumption(result.get("resumption"));
  const completion = result.get("completion");
  if (!["stop", "length", "cancelled", "error"].includes(completion))
    throw new RefusedError("`completion` is none of stop, length, cancelled, error");
  const extra = extraOf(metrics.get("extra"));
  return {
    document: envelope,
    worker: text(envelope.get("worker_pubkey"), HEX64, "worker_pubkey"),
    job: text(envelope.get("job_id"), HEX64, "job_id"),
    specHash: hexOf(octets(result.get("job_spec_hash"), "job_spec_hash", 32, 32)),
    commitment: hexOf(octets(result.get("output_commitment"), "output_commitment", 32, 32)),
    chunks: count(result.get("output_chunk_count"), "output_chunk_count"),
    completion,
    completedAt: completedAt(envelope.get("completed_at")),
    durationMs: count(metrics.get("total_duration_ms"), "total_duration_ms"),
    extra,
    place: extra.has("orlop.seq") ? { number: BigInt(extra.get("orlop.seq")), previous: extra.get("orlop.prev") } : null,
    message: signedMessage(RECEIPT_DOMAIN, envelope),
    signature: text(envelope.get("signature"), HEX128, "signature"),
  };
}

/**
 * The id of a receipt that `readReceipt` gave: SHA-256 of its signed message.
 *
 * @returns {Promise<string>} 64 hexadecimal characters
 */
export function receiptId(receipt) {
  return sha256Hex(receipt.message);
}

/**
 * Reads a signed job manifest, version 1, and checks its signature; its expiry is not looked at.
 *
 * @param {Uint8Array|ArrayBuffer|string} raw its JSON
 * @returns {Promise<object>} `document`, `payload` and `extension` (Map), `job` (its hash, the job's id), `signer`
 * @throws {RefusedError} any check failed; the message begins with which
 * @throws {UnavailableError} this runtime has no Ed25519
 */
export async function readManifest(raw) {
  let document;
  try {
    document = decode(bytesOf(raw), MANIFEST_MAX);
  } catch (error) {
    if (error instanceof RefusedError) error.message = `schema: ${error.message}`;
    throw error;
  }
  if (!(document instanceof Map)) throw new RefusedError("schema: not an object");
  const version = document.get("schema_version");
  if (typeof version !== "bigint" || version < 1n) throw new RefusedError("schema: `schema_version` is not a version");
  if (version > 1n) throw new RefusedError(`UnsupportedSchema: version ${version} is newer than 1`);
  const known = [...MANIFEST, "expires_at"];
  const wrong = [...document.keys()].filter((name) => !known.includes(name));
  wrong.push(...MANIFEST.filter((name) => !document.has(name)));
  if (wrong.length) throw new RefusedError(`schema: wrong fields: ${clean(wrong.sort().join(", "), 120)}`);
  const payload = document.get("payload");
  if (!(payload instanceof Map) || payload.get("kind") !== "wasm")
    throw new RefusedError("schema: the payload is not a job of kind wasm");
  for (const name of ["created_at", "expires_at"])
    if (document.has(name) && !isSignedTime(document.get(name)))
      throw new RefusedError("schema: not a time of the form 2025-01-02T03:04:05Z or 2025-01-02T03:04:05.678Z");
  const [signer, signature] = [document.get("signer_pubkey"), document.get("signature")];
  if (typeof signer !== "string" || !HEX64.test(signer))
    throw new RefusedError("key: not 64 lower-case hexadecimal characters");
  if (typeof signature !== "string" || !HEX128.test(signature))
    throw new RefusedError("BadSignature: not 128 lower-case hexadecimal characters");
  const message = signedMessage(MANIFEST_DOMAIN, document);
  if (!(await verifySignature(message, signature, signer)))
    throw new RefusedError("BadSignature: the signature does not fit");
  const own = payload.get("orlop");
  return { document, payload, extension: own instanceof Map ? own : new Map(), job: await sha256Hex(message), signer };
}

/** The bytes that an envelope's signature covers: the domain, then the canonical JSON of what is signed. */
function signedMessage(domain, envelope) {
  return join(utf8.encode(domain), encode(new Map([...envelope].filter(([name]) => !UNSIGNED.has(name)))));
}

function fieldsOf(value, fields, path) {
  if (!(value instanceof Map)) throw new RefusedError(`${path} is not an object`);
  for (const name of fields) if (!value.has(name)) throw new RefusedError(`\`${name}\` is missing`);
  for (const name of value.keys())
    if (!fields.includes(name)) throw new RefusedError(`\`${clean(name, 60)}\` is not a field of receipt version 1`);
  return value;
}

function count(value, name) {
  if (typeof value !== "bigint" || value < 0n) throw new RefusedError(`\`${name}\` is not a count`);
  return value;
}

function text(value, form, name) {
  if (typeof value === "string" && form.test(value)) return value;
  const found = typeof value === "string" ? `${[...value].length} characters` : "no text";
  throw new RefusedError(`\`${name}\` does not have its form (${found})`);
}

function octets(value, name, least, most) {
  if (!Array.isArray(value) || value.length < least || value.length > most)
    throw new RefusedError(`\`${name}\` is not an array of ${most} bytes`);
  if (!value.every((item) => typeof item === "bigint" && item >= 0n && item <= 255n))
    throw new RefusedError(`\`${name}\` holds something that is not a byte`);
  return Uint8Array.from(value, Number);
}

function completedAt(value) {
  const match = typeof value === "string" ? COMPLETED.exec(value) : null;
  if (!match) throw new RefusedError("`completed_at` is not a UTC time ending in Z");
  if (!isSignedTime(`${match[1]}Z`)) throw new RefusedError("`completed_at`: not a time");
  return value;
}

/** Whether a text is a time in the form that is signed: an existing UTC second from 1970 on, `Z`, 0 or 3 digits. */
function isSignedTime(value) {
  const match = typeof value === "string" ? SIGNED_TIME.exec(value) : null;
  if (!match || match[7] === "000") return false;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number);
  if (year < 1970 || month < 1 || month > 12 || hour > 23 || minute > 59 || second > 59) return false;
  return day >= 1 && day <= new Date(Date.UTC(year, month, 0)).getUTCDate();
}

function extraOf(value) {
  if (!(value instanceof Map) || !value.size) throw new RefusedError("`extra` is not a map with at least one entry");
  for (const [name, entry] of value) {
    if (typeof entry !== "string") throw new RefusedError(`\`${clean(name, 60)}\` in \`extra\` is not text`);
    if (Object.hasOwn(EXTRA, name)) text(entry, EXTRA[name], name);
  }
  if (value.has("orlop.seq") !== value.has("orlop.prev"))
    throw new RefusedError("`orlop.seq` and `orlop.prev` come together or not at all");
  return value;
}

function checkResumption(value) {
  if (value === null) return;
  const ticket = fieldsOf(value, RESUMPTION, "resumption");
  octets(ticket.get("state"), "state", 0, 256);
  count(ticket.get("valid_until_unix_ms"), "valid_until_unix_ms");
  if (typeof ticket.get("issuer") !== "string") throw new RefusedError("`issuer` is not text");
}

// ── Commitment, hashes, keys ────────────────────────────────────────────────────────────────────────────────────────

/**
 * The commitment over two complete streams.
 *
 * @returns {Promise<{digest: string, count: bigint}>} `digest` in hexadecimal
 */
export async function commit(stdout, stderr) {
  let state = await sha256(utf8.encode("phase-protocol:v1:commitment"));
  let number = 0n;
  for (const [kind, stream] of [["stdout", bytesOf(stdout)], ["stderr", bytesOf(stderr)]]) {
    for (let start = 0; start < stream.length; start += CHUNK) {
      const data = stream.subarray(start, start + CHUNK);
      const head = new DataView(new ArrayBuffer(22));
      head.setBigUint64(0, number++);
      head.setUint32(8, kind.length);
      utf8.encodeInto(kind, new Uint8Array(head.buffer, 12, 6));
      head.setUint32(18, data.length);
      state = await sha256(join(state, new Uint8Array(head.buffer), data));
    }
  }
  return { digest: hexOf(state), count: number };
}

/** How manifests and receipts name a module: `sha256:` and 64 hexadecimal characters of its bytes' hash. */
export async function moduleName(module) {
  return `sha256:${await sha256Hex(bytesOf(module))}`;
}

/** SHA-256, 64 hexadecimal characters. */
export async function sha256Hex(bytes) {
  return hexOf(await sha256(bytes));
}

async function sha256(bytes) {
  if (!webcrypto?.subtle) throw new UnavailableError("this runtime has no WebCrypto (a page needs https or file)");
  return new Uint8Array(await webcrypto.subtle.digest("SHA-256", bytes));
}

/**
 * Whether an Ed25519 signature over a message was made with a key.
 *
 * @param {Uint8Array} message the bytes that were signed, domain included
 * @param {string} signature 128 hexadecimal characters
 * @param {string} key 64 hexadecimal characters
 * @throws {UnavailableError} this runtime has no Ed25519
 */
export async function verifySignature(message, signature, key) {
  if (!HEX128.test(signature) || !HEX64.test(key)) return false;
  if (!webcrypto?.subtle) throw new UnavailableError("this runtime has no WebCrypto (a page needs https or file)");
  try {
    const imported = await webcrypto.subtle.importKey("raw", bytesOfHex(key), { name: "Ed25519" }, false, ["verify"]);
    return await webcrypto.subtle.verify({ name: "Ed25519" }, imported, bytesOfHex(signature), message);
  } catch (error) {
    if (error.name === "NotSupportedError") throw new UnavailableError("this runtime has no Ed25519");
    return false; // bytes that are no key
  }
}

const BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const PEER_ID = "002408011220"; // the multihash's and the protobuf's bytes before the key

/**
 * Reads a key that somebody gave.
 *
 * @param {string} given 64 hexadecimal characters, or a PeerId
 * @returns {string} 64 lower-case hexadecimal characters
 * @throws {RefusedError} neither of the two
 */
export function pinnedKey(given) {
  const lowered = String(given).toLowerCase();
  if (HEX64.test(lowered)) return lowered;
  // A PeerId of an Ed25519 key has 52 characters; its first byte is 0, which base58 writes as one `1`.
  if (/^1[1-9A-HJ-NP-Za-km-z]{51}$/.test(given)) {
    const number = [...given].reduce((sum, char) => sum * 58n + BigInt(BASE58.indexOf(char)), 0n);
    const hex = number.toString(16).padStart(76, "0");
    if (hex.startsWith(PEER_ID) && hex.length === 76) return hex.slice(PEER_ID.length);
  }
  throw new RefusedError("neither 64 hexadecimal characters nor a PeerId");
}

// ── JSON ────────────────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * Canonical JSON: keys sorted by their UTF-8 bytes, no whitespace, UTF-8 unescaped, integers only.
 *
 * @param {*} value null, booleans, text, BigInt or safe integers, arrays, Map or plain objects
 * @returns {Uint8Array} its canonical bytes
 * @throws {RefusedError} the value has no canonical form
 */
export function encode(value) {
  return utf8.encode(written(value, 0));
}

function written(value, depth) {
  if (depth > DEPTH_MAX) throw new RefusedError(`nested deeper than ${DEPTH_MAX}`);
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "string") return JSON.stringify(wellFormed(value));
  if (typeof value === "number" && Number.isSafeInteger(value)) return String(BigInt(value));
  if (typeof value === "bigint" && value <= INTEGER_MAX && value >= -INTEGER_MAX) return String(value);
  if (Array.isArray(value)) return `[${value.map((item) => written(item, depth + 1)).join(",")}]`;
  const entries = value instanceof Map ? [...value] : isPlain(value) ? Object.entries(value) : null;
  if (!entries) throw new RefusedError("a value that has no canonical form");
  const sorted = entries.map(([name, item]) => [utf8.encode(wellFormed(name)), name, item]).sort(byBytes);
  return `{${sorted.map(([, name, item]) => `${JSON.stringify(name)}:${written(item, depth + 1)}`).join(",")}}`;
}

function isPlain(value) {
  return typeof value === "object" && [Object.prototype, null].includes(Object.getPrototypeOf(value));
}

/** JavaScript's own order is that of UTF-16, which differs above U+FFFF. */
function byBytes([left], [right]) {
  for (let at = 0; at < left.length && at < right.length; at++)
    if (left[at] !== right[at]) return left[at] - right[at];
  return left.length - right.length;
}

function wellFormed(value) {
  if (/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.test(value))
    throw new RefusedError("text with a lone surrogate");
  return value;
}

/**
 * Reads JSON strictly: what is accepted means the same to every reader.
 *
 * @param {Uint8Array|string} raw UTF-8 without a byte order mark
 * @param {number} limit bytes that are read at most
 * @returns {*} null, booleans, text, BigInt, arrays and Map
 * @throws {RefusedError} too long, not UTF-8, not JSON, a duplicate key, a fraction, an integer beyond ±(2^63 - 1), a
 *   lone surrogate, or nested deeper than 64
 */
export function decode(raw, limit) {
  const bytes = bytesOf(raw);
  if (bytes.length > limit) throw new RefusedError(`larger than ${limit} bytes`);
  let source;
  try {
    source = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new RefusedError("not UTF-8");
  }
  return new Reader(source).document();
}

class Reader {
  static #space = /[ \t\n\r]*/y;
  static #number = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?/y;
  static #plain = /[^"\\\u0000-\u001f]*/y;
  static #words = [["null", null], ["true", true], ["false", false]];
  static #escapes = { '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

  constructor(source) {
    this.source = source;
    this.at = 0;
  }

  document() {
    this.take(Reader.#space);
    const value = this.value(0);
    this.take(Reader.#space);
    if (this.at < this.source.length) this.refuse("something stands behind the document");
    return value;
  }

  value(depth) {
    if (depth > DEPTH_MAX) throw new RefusedError(`nested deeper than ${DEPTH_MAX}`);
    const char = this.source[this.at];
    if (char === "{") return this.object(depth);
    if (char === "[") return this.array(depth);
    if (char === '"') return this.string();
    for (const [word, value] of Reader.#words) {
      if (this.source.startsWith(word, this.at)) {
        this.at += word.length;
        return value;
      }
    }
    return this.number();
  }

  object(depth) {
    const found = new Map();
    this.at++;
    this.take(Reader.#space);
    if (this.skip("}")) return found;
    do {
      this.take(Reader.#space);
      if (this.source[this.at] !== '"') this.refuse("a key is missing");
      const name = this.string();
      if (found.has(name)) throw new RefusedError(`the key ${clean(JSON.stringify(name.slice(0, 60)), 400)} occurs twice`);
      this.take(Reader.#space);
      if (!this.skip(":")) this.refuse("`:` is missing");
      this.take(Reader.#space);
      found.set(name, this.value(depth + 1));
      this.take(Reader.#space);
    } while (this.skip(","));
    if (!this.skip("}")) this.refuse("`,` or `}` is missing");
    return found;
  }

  array(depth) {
    const found = [];
    this.at++;
    this.take(Reader.#space);
    if (this.skip("]")) return found;
    do {
      this.take(Reader.#space);
      found.push(this.value(depth + 1));
      this.take(Reader.#space);
    } while (this.skip(","));
    if (!this.skip("]")) this.refuse("`,` or `]` is missing");
    return found;
  }

  string() {
    this.at++;
    let found = "";
    for (;;) {
      found += this.take(Reader.#plain)[0];
      if (this.skip('"')) return wellFormed(found);
      if (!this.skip("\\")) this.refuse("a text does not end, or holds a control character");
      const char = this.source[this.at++];
      if (char === "u") found += this.unit();
      else if (Object.hasOwn(Reader.#escapes, char ?? "")) found += Reader.#escapes[char];
      else this.refuse("an escape that JSON does not have");
    }
  }

  unit() {
    const digits = this.source.slice(this.at, this.at + 4);
    if (!/^[0-9a-fA-F]{4}$/.test(digits)) this.refuse("`\\u` without four hexadecimal digits");
    this.at += 4;
    return String.fromCharCode(parseInt(digits, 16));
  }

  number() {
    const match = this.take(Reader.#number);
    if (!match) this.refuse("a value is missing");
    const [digits, fraction, exponent] = match;
    if (fraction || exponent) throw new RefusedError(`the number ${digits.slice(0, 40)} is not an integer`);
    const value = digits.length <= 20 ? BigInt(digits) : INTEGER_MAX + 1n;
    if (value > INTEGER_MAX || value < -INTEGER_MAX) throw new RefusedError("an integer beyond 63 bits");
    return value;
  }

  take(pattern) {
    pattern.lastIndex = this.at;
    const match = pattern.exec(this.source);
    if (match) this.at = pattern.lastIndex;
    return match;
  }

  skip(char) {
    if (this.source[this.at] !== char) return false;
    this.at++;
    return true;
  }

  refuse(why) {
    throw new RefusedError(`not JSON: at character ${this.at}: ${why}`);
  }
}

// ── Bytes and text ──────────────────────────────────────────────────────────────────────────────────────────────────

function bytesOf(value) {
  if (typeof value === "string") return utf8.encode(value);
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  throw new TypeError("bytes or text are needed");
}

function join(...parts) {
  const all = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function equal(left, right) {
  return left.length === right.length && left.every((byte, at) => byte === right[at]);
}

function hexOf(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function bytesOfHex(hex) {
  return Uint8Array.from(hex.match(/../g), (pair) => parseInt(pair, 16));
}

/** One harmless line of a stranger's text: whatever is not printable ASCII becomes a visible escape. */
export function clean(value, limit = 500) {
  const shown = value.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return shown.length <= limit ? shown : `${shown.slice(0, limit - 1)}…`;
}
