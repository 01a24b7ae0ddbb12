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
const BUNDLE_MAX = 64 << 20;
const RECEIPT_MAX = 262_144;
const MANIFEST_MAX = 131_072;
const LEGACY_MAX = 65_536;
const LIMITS_MAX = 4096;
const DEPTH_MAX = 64;
const INTEGER_MAX = 2n ** 63n - 1n;
const CHUNK = 65_536;
const RECEIPT_DOMAIN = "phase-receipt:v1:";
const KEY_DOMAIN = "orlop-key:v1:";
const MANIFEST_DOMAIN = "phase-manifest:v1:";
const FIRST_PREVIOUS = "0".repeat(64);

const RESTORED_STEP = 2n ** 32n; // by how much the number rises at least in the entry after a restore

/** The limits that a manifest names in its object `orlop`. */
const OWN_LIMITS = ["fuel", "max_output_bytes", "cpu_ms", "stack_bytes", "table_elements", "open_files", "dir_bytes"];

const HEX64 = /^[0-9a-f]{64}$/;
const HEX128 = /^[0-9a-f]{128}$/;
const SIGNED_TIME = /^([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{3}))?Z$/;

// The schemas, from assets/schemas/; written here by `make docs`.
const SCHEMAS = {
  /* SCHEMAS */
  "bundle.v1": String.raw`{"$schema":"http://json-schema.org/draft-07/schema#","title":"Proof bundle, version 1","type":"object","properties":{"bundle_version":{"type":"integer","const":1,"description":"1"},"receipt":{"type":"object","description":"an object of the schema receipt.v1"},"manifest":{"type":"object","description":"an object of the schema job-manifest.v1"},"key":{"type":"object","properties":{"public":{"$ref":"#/definitions/hex64"},"statements":{"type":"array","maxItems":1000,"items":{"$ref":"#/definitions/statement"},"description":"an array of at most 1000 key statements"}},"required":["public","statements"],"additionalProperties":false},"outputs":{"type":"object","properties":{"stdout":{"type":"string","description":"base64 text"},"stderr":{"type":"string","description":"base64 text"}},"required":["stderr","stdout"],"additionalProperties":false}},"required":["bundle_version","key","receipt"],"additionalProperties":false,"definitions":{"hex64":{"type":"string","pattern":"^[0-9a-f]{64}$","maxLength":64,"description":"64 lower-case hexadecimal characters"},"positive":{"type":"integer","minimum":1,"maximum":9223372036854775807,"description":"an integer from 1 to 2^63 - 1"},"statement":{"type":"object","properties":{"confirmation":{"type":"string","pattern":"^[0-9a-f]{128}$","maxLength":128,"description":"128 lower-case hexadecimal characters"},"created_at":{"type":"string","pattern":"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\\.[0-9]{3})?Z$","maxLength":24,"description":"a UTC time such as 2025-01-02T03:04:05Z or 2025-01-02T03:04:05.678Z"},"new":{"$ref":"#/definitions/hex64"},"number":{"$ref":"#/definitions/positive"},"old":{"$ref":"#/definitions/hex64"},"signature":{"type":"string","pattern":"^[0-9a-f]{128}$","maxLength":128,"description":"128 lower-case hexadecimal characters"}},"required":["confirmation","created_at","new","number","old","signature"],"additionalProperties":false}}}`,
  "job-manifest.v1": String.raw`{"$schema":"http://json-schema.org/draft-07/schema#","title":"Signed job manifest, version 1","type":"object","properties":{"schema_version":{"type":"integer","const":1,"description":"1"},"created_at":{"type":"string","pattern":"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\\.[0-9]{3})?Z$","maxLength":24,"description":"a UTC time such as 2025-01-02T03:04:05Z or 2025-01-02T03:04:05.678Z"},"expires_at":{"type":"string","pattern":"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\\.[0-9]{3})?Z$","maxLength":24,"description":"a UTC time such as 2025-01-02T03:04:05Z or 2025-01-02T03:04:05.678Z"},"signer_pubkey":{"$ref":"#/definitions/hex64"},"signature":{"type":"string","pattern":"^[0-9a-f]{128}$","maxLength":128,"description":"128 lower-case hexadecimal characters"},"payload":{"type":"object","required":["kind"],"properties":{"kind":{"type":"string","enum":["wasm","orlop-restore"],"description":"a job of kind wasm, or orlop-restore"}},"if":{"properties":{"kind":{"const":"wasm"}}},"then":{"$ref":"#/definitions/job"},"else":{"$ref":"#/definitions/restore"}}},"required":["created_at","payload","schema_version","signature","signer_pubkey"],"additionalProperties":false,"definitions":{"hex64":{"type":"string","pattern":"^[0-9a-f]{64}$","maxLength":64,"description":"64 lower-case hexadecimal characters"},"nonce":{"type":"string","pattern":"^[0-9a-f]{32}$","maxLength":32,"description":"32 lower-case hexadecimal characters"},"positive":{"type":"integer","minimum":1,"maximum":9223372036854775807,"description":"an integer from 1 to 2^63 - 1"},"text":{"type":"string","description":"text"},"limit":{"type":["integer","null"],"minimum":1,"maximum":9223372036854775807,"description":"null, or an integer from 1 to 2^63 - 1"},"job":{"type":"object","properties":{"kind":{"const":"wasm"},"module_cid":{"type":"string","maxLength":256,"description":"text"},"input":{"type":"array","items":{"type":"integer","minimum":0,"maximum":255,"description":"a byte, 0 to 255"},"description":"an array of bytes"},"max_duration_ms":{"$ref":"#/definitions/limit"},"max_memory_bytes":{"$ref":"#/definitions/limit"},"orlop":{"$ref":"#/definitions/extension"}},"required":["input","kind","max_duration_ms","max_memory_bytes","module_cid"],"additionalProperties":false},"extension":{"type":"object","properties":{"nonce":{"$ref":"#/definitions/nonce"},"argv":{"type":"array","items":{"$ref":"#/definitions/text"},"description":"an array of texts"},"env":{"type":"array","items":{"type":"string","pattern":"^[^=]+=","description":"K=V"},"description":"an array of K=V"},"dirs":{"type":"array","items":{"type":"string","pattern":"^/[^:]*:r[ow]$","description":"an absolute path and :ro or :rw"},"description":"an array of GUEST:ro or GUEST:rw"},"deterministic":{"type":"boolean","description":"true or false"},"fuel":{"$ref":"#/definitions/positive"},"max_output_bytes":{"$ref":"#/definitions/positive"},"cpu_ms":{"$ref":"#/definitions/positive"},"stack_bytes":{"$ref":"#/definitions/positive"},"table_elements":{"$ref":"#/definitions/positive"},"open_files":{"$ref":"#/definitions/positive"},"dir_bytes":{"$ref":"#/definitions/positive"},"stdin_sha256":{"$ref":"#/definitions/hex64"}},"required":["nonce"],"additionalProperties":false},"restore":{"type":"object","properties":{"kind":{"const":"orlop-restore"},"backup_sha256":{"$ref":"#/definitions/hex64"},"orlop":{"type":"object","properties":{"nonce":{"$ref":"#/definitions/nonce"}},"required":["nonce"],"additionalProperties":false}},"required":["backup_sha256","kind","orlop"],"additionalProperties":false}}}`,
  "manifest.v0.1": String.raw`{"$schema":"http://json-schema.org/draft-07/schema#","title":"Job manifest, version 0.1","type":"object","properties":{"version":{"type":"string","pattern":"^[0-9]+\\.[0-9]+$","maxLength":16,"description":"a version such as 0.1"},"module_hash":{"type":"string","pattern":"^sha256:[0-9a-f]{64}$","maxLength":71,"description":"sha256: and 64 lower-case hexadecimal characters"},"cpu_cores":{"type":"integer","minimum":1,"maximum":64,"description":"an integer from 1 to 64"},"memory_mb":{"type":"integer","minimum":1,"maximum":32768,"description":"an integer from 1 to 32768"},"timeout_seconds":{"type":"integer","minimum":1,"maximum":3600,"description":"an integer from 1 to 3600"}},"required":["cpu_cores","memory_mb","module_hash","timeout_seconds","version"],"additionalProperties":false}`,
  "receipt.v0.1": String.raw`{"$schema":"http://json-schema.org/draft-07/schema#","title":"Receipt, version 0.1","type":"object","properties":{"version":{"type":"string","pattern":"^[0-9]+\\.[0-9]+$","maxLength":16,"description":"a version such as 0.1"},"module_hash":{"type":"string","pattern":"^sha256:[0-9a-f]{64}$","maxLength":71,"description":"sha256: and 64 lower-case hexadecimal characters"},"exit_code":{"type":"integer","minimum":0,"maximum":255,"description":"an integer from 0 to 255"},"wall_time_ms":{"type":"integer","minimum":0,"maximum":9223372036854775807,"description":"a count from 0 to 2^63 - 1"},"timestamp":{"type":"integer","minimum":0,"maximum":253402300799,"description":"Unix seconds, before the year 10000"},"node_pubkey":{"type":"string","pattern":"^[0-9a-f]{64}$","maxLength":64,"description":"64 lower-case hexadecimal characters"},"signature":{"type":"string","pattern":"^[0-9a-f]{128}$","maxLength":128,"description":"128 lower-case hexadecimal characters"}},"required":["exit_code","module_hash","node_pubkey","signature","timestamp","version","wall_time_ms"],"additionalProperties":false}`,
  "receipt.v1": String.raw`{"$schema":"http://json-schema.org/draft-07/schema#","title":"Receipt, version 1","type":"object","properties":{"schema_version":{"type":"integer","const":1,"description":"1"},"job_id":{"$ref":"#/definitions/hex64"},"completed_at":{"type":"string","pattern":"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\\.[0-9]{1,9})?Z$","maxLength":30,"description":"a UTC time such as 2025-01-02T03:04:05Z"},"worker_pubkey":{"$ref":"#/definitions/hex64"},"signature":{"type":"string","pattern":"^[0-9a-f]{128}$","maxLength":128,"description":"128 lower-case hexadecimal characters"},"result":{"type":"object","properties":{"job_spec_hash":{"type":"array","items":{"type":"integer","minimum":0,"maximum":255,"description":"a byte, 0 to 255"},"minItems":32,"maxItems":32,"description":"an array of 32 bytes"},"output_commitment":{"type":"array","items":{"type":"integer","minimum":0,"maximum":255,"description":"a byte, 0 to 255"},"minItems":32,"maxItems":32,"description":"an array of 32 bytes"},"output_chunk_count":{"$ref":"#/definitions/count"},"completion":{"type":"string","enum":["stop","length","cancelled","error"],"description":"stop, length, cancelled or error"},"resumption":{"$ref":"#/definitions/resumption"},"metrics":{"type":"object","properties":{"total_duration_ms":{"$ref":"#/definitions/count"},"prompt_tokens":{"$ref":"#/definitions/count"},"completion_tokens":{"$ref":"#/definitions/count"},"extra":{"$ref":"#/definitions/extra"}},"required":["completion_tokens","extra","prompt_tokens","total_duration_ms"],"additionalProperties":false}},"required":["completion","job_spec_hash","metrics","output_chunk_count","output_commitment","resumption"],"additionalProperties":false}},"required":["completed_at","job_id","result","schema_version","signature","worker_pubkey"],"additionalProperties":false,"definitions":{"count":{"type":"integer","minimum":0,"maximum":9223372036854775807,"description":"a count from 0 to 2^63 - 1"},"hex64":{"type":"string","pattern":"^[0-9a-f]{64}$","maxLength":64,"description":"64 lower-case hexadecimal characters"},"decimal":{"type":"string","pattern":"^(?:0|[1-9][0-9]{0,17})$","maxLength":18,"description":"a decimal number of at most 18 digits, as text"},"resumption":{"type":["object","null"],"properties":{"issuer":{"type":"string","description":"text"},"state":{"type":"array","items":{"type":"integer","minimum":0,"maximum":255,"description":"a byte, 0 to 255"},"maxItems":256,"description":"an array of at most 256 bytes"},"valid_until_unix_ms":{"$ref":"#/definitions/count"}},"required":["issuer","state","valid_until_unix_ms"],"additionalProperties":false,"description":"null, or an object"},"extra":{"type":"object","description":"a map from text to text with at least one entry","minProperties":1,"properties":{"exit_code":{"$ref":"#/definitions/decimal"},"module_hash":{"type":"string","pattern":"^sha256:[0-9a-f]{64}$","maxLength":71,"description":"sha256: and 64 lower-case hexadecimal characters"},"orlop.argv_sha256":{"$ref":"#/definitions/hex64"},"orlop.dirs_sha256":{"$ref":"#/definitions/hex64"},"orlop.env_sha256":{"$ref":"#/definitions/hex64"},"orlop.fuel_used":{"$ref":"#/definitions/decimal"},"orlop.nonce":{"type":"string","pattern":"^[0-9a-f]{32}$","maxLength":32,"description":"32 lower-case hexadecimal characters"},"orlop.prev":{"$ref":"#/definitions/hex64"},"orlop.seq":{"$ref":"#/definitions/decimal"},"orlop.stdin_sha256":{"$ref":"#/definitions/hex64"}},"additionalProperties":{"type":"string","description":"text"},"dependencies":{"orlop.seq":["orlop.prev"],"orlop.prev":["orlop.seq"]}}}}`,
  /* END */
};

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
 * @param {Uint8Array|ArrayBuffer|string} raw the receipt as it was received, or a proof bundle, which brings evidence of
 *   its own: bytes, or their text
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
  try {
    const document = decode(raw, BUNDLE_MAX);
    if (!(document instanceof Map && document.has("bundle_version"))) return await ofReceipt(raw, document, evidence);
    const bundle = await parseBundle(document);
    return await sealedFindings(null, bundle.receipt, filledFrom(evidence, bundle));
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    return [[false, error.message], ...STEPS.slice(1).map(() => [null, "not checked: this is no receipt"])];
  }
}

async function ofReceipt(raw, document, evidence) {
  if (raw.length > RECEIPT_MAX) throw new RefusedError(`larger than ${RECEIPT_MAX} bytes`);
  const isLegacy = document instanceof Map && document.has("version") && !document.has("schema_version");
  if (isLegacy) return legacyFindings(await parseLegacy(document), evidence);
  return sealedFindings(raw, parseReceipt(document), { ...evidence, statements: [] });
}

/** The eight; `raw` is the receipt as it was laid out, null when it stood inside something else. */
async function sealedFindings(raw, receipt, evidence) {
  const [manifest, badManifest] = await manifestOf(evidence.manifest); // the second: why there is no first
  return [
    [true, raw ? "receipt version 1" : "receipt version 1, in a proof bundle"],
    canonicalStep(raw, receipt),
    keyStep(receipt, evidence.key, evidence.statements),
    await signatureStep(receipt),
    await jobIdStep(receipt, manifest, badManifest),
    moduleStep(receipt, manifest, evidence.module ?? null),
    await commitmentStep(receipt, evidence.stdout, evidence.stderr),
    await chainStep(receipt, evidence.previous),
  ];
}

/** What was given, and where nothing was, what a proof bundle brings. */
function filledFrom(evidence, bundle) {
  const outputs = evidence.stdout == null && evidence.stderr == null ? bundle : evidence;
  const { stdout, stderr } = outputs;
  return { ...evidence, manifest: evidence.manifest ?? bundle.manifest, stdout, stderr, statements: bundle.statements };
}

/** The older form 0.1 is never valid: with a signature that fits, it still says nothing of job, output or requester. */
async function legacyFindings(receipt, evidence) {
  const [fits] = await signatureStep(receipt);
  return [
    [null, "receipt version 0.1, which proves little: its five figures name no job, output or requester"],
    [null, "version 0.1 has no canonical form"],
    keyStep(receipt, evidence.key, []),
    [fits, fits ? "Ed25519 over the five figures" : "does not fit the five figures and the key"],
    [null, "version 0.1 names no job"],
    legacyModuleStep(receipt.module, evidence),
    [null, "version 0.1 says nothing of the output"],
    [null, "in no chain"],
  ];
}

function legacyModuleStep(stated, { module, manifest }) {
  if (module != null)
    return module === stated ? [true, "the module that was given"] : [false, "another module than the one that was given"];
  if (manifest == null) return [null, "no module to compare with"];
  try {
    const asked = decode(bytesOf(manifest), LEGACY_MAX);
    checkSchema("manifest.v0.1", asked);
    return asked.get("module_hash") === stated
      ? [true, "the module that the manifest names"]
      : [false, "another module is asked for"];
  } catch (error) {
    if (error instanceof RefusedError) return [false, `the manifest is bad: ${error.message}`];
    throw error;
  }
}

function canonicalStep(raw, receipt) {
  const fraction = receipt.completedAt.slice(0, -1).split(".")[1] ?? "";
  if (fraction && (fraction.length % 3 || fraction.endsWith("000")))
    return [false, "the fraction of `completed_at` is not in its shortest form of 3, 6 or 9 digits"];
  if (raw === null) return [true, "has one canonical form"];
  let end = raw.length;
  if (raw[end - 1] === 0x0a) end -= raw[end - 2] === 0x0d ? 2 : 1;
  if (raw[0] !== 0x7b || raw[end - 1] !== 0x7d)
    return [false, "something stands before or behind the document"];
  const same = equal(raw.subarray(0, end), encode(receipt.document));
  return [true, same ? "canonical JSON" : "has one canonical form; the file is laid out differently"];
}

function keyStep({ worker }, key, statements) {
  const short = worker.slice(0, 16);
  if (key === null) return [null, `nothing is known of key ${short}…; give the worker's key to check it`];
  const turns = rotationsBetween(statements, key, worker);
  if (turns === null) return [false, `signed by ${short}…, not by the key that was given`];
  if (turns === 0) return [true, "the key that was given"];
  return [true, `${turns} signed rotation${turns === 1 ? "" : "s"} from the key that was given`];
}

/** How many rotations lie between two keys of one node, whichever is the younger; null when nothing connects them. */
function rotationsBetween(statements, known, key) {
  const before = new Map(statements.map(({ old, young }) => [young, old]));
  for (const [younger, older] of [[known, key], [key, known]]) {
    const line = [younger];
    for (let next = before.get(younger); next && !line.includes(next); next = before.get(next)) line.push(next);
    if (line.includes(older)) return line.indexOf(older);
  }
  return null;
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
    ...OWN_LIMITS.map((name) => [name, own.get(name)]),
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
  const place = receipt.place;
  if (!place) return [null, "in no chain"];
  const first = place.previous === FIRST_PREVIOUS;
  if (place.restored ? place.number < RESTORED_STEP - 1n : (place.number === 0n) !== first)
    return [false, "only the first receipt of a key, number 0, has no predecessor"];
  if (previous != null) return followsStep(receipt, bytesOf(previous));
  if (first) return [true, "the first of its key"];
  const restored = place.restored ? ", the first after a restore" : "";
  return [null, `number ${place.number}${restored}; its predecessor is not here`];
}

async function followsStep({ worker, place }, raw) {
  let before;
  try {
    before = readReceipt(raw);
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    return [false, `the preceding receipt is bad: ${error.message}`];
  }
  if (before.worker !== worker) return [false, "the preceding receipt is of another key"];
  const [fits, why] = await signatureStep(before);
  if (fits === null) return [null, why];
  if (!fits) return [false, "the preceding receipt's signature does not fit"];
  if ((await receiptId(before)) !== place.previous || !before.place || !mayFollow(place, before.place.number))
    return [false, "does not follow the receipt that was given"];
  return [true, `number ${place.number}, follows the receipt that was given`];
}

// ── Receipts and manifests ──────────────────────────────────────────────────────────────────────────────────────────

/**
 * Reads a receipt, envelope v1, strictly; whether it is true is the business of `verify`.
 *
 * @param {Uint8Array|ArrayBuffer|string} raw its JSON
 * @returns {object} `document` (Map), `worker`, `job`, `specHash`, `commitment` (hexadecimal), `chunks` (BigInt),
 *   `completion`, `completedAt`, `durationMs` (BigInt), `extra` (Map of texts), `place` (where it stands in the chain of
 *   its key: {number, previous, restored}; or null), `message` (the signed bytes, domain included), `signature`
 * @throws {RefusedError} not JSON, a field missing, unknown or of a wrong form; the message names its path
 */
export function readReceipt(raw) {
  return parseReceipt(decode(bytesOf(raw), RECEIPT_MAX));
}

function parseReceipt(envelope) {
  const version = envelope instanceof Map ? envelope.get("schema_version") : null;
  if (typeof version === "bigint" && version > 1n)
    throw new RefusedError(`schema_version: ${version} is newer than 1, the only one that is known`);
  checkSchema("receipt.v1", envelope);
  const result = envelope.get("result");
  const metrics = result.get("metrics");
  const completedAt = envelope.get("completed_at");
  if (!isSignedTime(`${completedAt.slice(0, 19)}Z`)) throw new RefusedError("completed_at: not a time");
  return {
    document: envelope,
    worker: envelope.get("worker_pubkey"),
    job: envelope.get("job_id"),
    specHash: hexOf(Uint8Array.from(result.get("job_spec_hash"), Number)),
    commitment: hexOf(Uint8Array.from(result.get("output_commitment"), Number)),
    chunks: result.get("output_chunk_count"),
    completion: result.get("completion"),
    completedAt,
    durationMs: metrics.get("total_duration_ms"),
    extra: metrics.get("extra"),
    place: placeOf(metrics.get("extra")),
    message: signedMessage(RECEIPT_DOMAIN, envelope),
    signature: envelope.get("signature"),
  };
}

/** A receipt of the older form 0.1. */
async function parseLegacy(document) {
  checkSchema("receipt.v0.1", document);
  const figures = ["version", "module_hash", "exit_code", "wall_time_ms", "timestamp"];
  const line = figures.map((name) => document.get(name)).join("|");
  return {
    module: document.get("module_hash"),
    worker: document.get("node_pubkey"),
    message: await sha256(utf8.encode(line)),
    signature: document.get("signature"),
  };
}

/** A proof bundle: a receipt, and as far as they are in it its manifest, its output and how the node's keys followed. */
async function parseBundle(document) {
  checkSchema("bundle.v1", document);
  const receipt = within("receipt", () => parseReceipt(document.get("receipt")));
  const key = document.get("key");
  if (key.get("public") !== receipt.worker) throw new RefusedError("key.public: another key than the receipt's");
  const statements = [];
  for (const [index, statement] of key.get("statements").entries())
    statements.push(await parseStatement(statement, `key.statements[${index}]`));
  const outputs = document.get("outputs");
  return {
    receipt,
    manifest: document.has("manifest") ? encode(document.get("manifest")) : null,
    statements,
    stdout: outputs ? bytesOfBase64(outputs.get("stdout"), "outputs.stdout") : null,
    stderr: outputs ? bytesOfBase64(outputs.get("stderr"), "outputs.stderr") : null,
  };
}

/** That one key of a node came after another; each signed it. */
async function parseStatement(document, path) {
  if (!isSignedTime(document.get("created_at"))) throw new RefusedError(`${path}: not a time`);
  const unsigned = ["confirmation", "signature"];
  const covered = new Map([...document].filter(([name]) => !unsigned.includes(name)));
  const message = join(utf8.encode(KEY_DOMAIN), encode(covered));
  const [old, young] = [document.get("old"), document.get("new")];
  for (const [name, key] of [["signature", old], ["confirmation", young]])
    if (old === young || !(await verifySignature(message, document.get(name), key)))
      throw new RefusedError(`${path}: ${name}: does not fit`);
  return { old, young };
}

/** Where a receipt says that it stands; only the entry after a restore may leave numbers out. */
function placeOf(extra) {
  if (!extra.has("orlop.seq")) return null;
  const number = BigInt(extra.get("orlop.seq"));
  const restored = extra.get("orlop.outcome") === "restored";
  return { number, previous: extra.get("orlop.prev"), restored };
}

/** Whether the predecessor of a place may have a number. */
function mayFollow({ number, restored }, before) {
  return restored ? before <= number - RESTORED_STEP : before === number - 1n;
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
  const document = within("schema", () => decode(bytesOf(raw), MANIFEST_MAX));
  if (!(document instanceof Map)) throw new RefusedError("schema: expected an object");
  const version = document.get("schema_version");
  if (typeof version !== "bigint" || version < 1n) throw new RefusedError("schema: schema_version: is not a version");
  if (version > 1n) throw new RefusedError(`UnsupportedSchema: schema_version: ${version} is newer than 1`);
  const [signer, signature] = [document.get("signer_pubkey"), document.get("signature")];
  if (typeof signer !== "string" || !HEX64.test(signer))
    throw new RefusedError("key: signer_pubkey: expected 64 lower-case hexadecimal characters");
  if (typeof signature !== "string" || !HEX128.test(signature))
    throw new RefusedError("BadSignature: signature: expected 128 lower-case hexadecimal characters");
  const message = signedMessage(MANIFEST_DOMAIN, document);
  if (!(await verifySignature(message, signature, signer)))
    throw new RefusedError("BadSignature: the signature does not fit");
  within("schema", () => checkManifest(document));
  const payload = document.get("payload");
  return { document, payload, extension: payload.get("orlop") ?? new Map(), job: await sha256Hex(message), signer };
}

function checkManifest(document) {
  checkSchema("job-manifest.v1", document);
  for (const name of ["created_at", "expires_at"])
    if (document.has(name) && !isSignedTime(document.get(name)))
      throw new RefusedError("not a time of the form 2025-01-02T03:04:05Z or 2025-01-02T03:04:05.678Z");
}

/** What is refused inside gets the name of the check in front. */
function within(check, work) {
  try {
    return work();
  } catch (error) {
    if (error instanceof RefusedError) error.message = `${check}: ${error.message}`;
    throw error;
  }
}

/** The bytes that an envelope's signature covers: the domain, then the canonical JSON of what is signed. */
function signedMessage(domain, envelope) {
  const unsigned = ["signature", domain === RECEIPT_DOMAIN ? "worker_pubkey" : "signer_pubkey"];
  return join(utf8.encode(domain), encode(new Map([...envelope].filter(([name]) => !unsigned.includes(name)))));
}

/** Whether a text is a time in the form that is signed: an existing UTC second from 1970 on, `Z`, 0 or 3 digits. */
function isSignedTime(value) {
  const match = typeof value === "string" ? SIGNED_TIME.exec(value) : null;
  if (!match || match[7] === "000") return false;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number);
  if (year < 1970 || month < 1 || month > 12 || hour > 23 || minute > 59 || second > 59) return false;
  return day >= 1 && day <= new Date(Date.UTC(year, month, 0)).getUTCDate();
}

// ── Schemas ─────────────────────────────────────────────────────────────────────────────────────────────────────────

const IGNORED = new Set(["$schema", "title", "definitions", "description", "then", "else"]);
const TYPES = {
  object: (value) => value instanceof Map,
  array: Array.isArray,
  string: (value) => typeof value === "string",
  integer: (value) => typeof value === "bigint",
  boolean: (value) => typeof value === "boolean",
  null: (value) => value === null,
};

/** The keywords of JSON Schema that our schemas use: whether a value fits, given the keyword's own value. */
const KEYWORDS = {
  type: (value, types) => [types].flat().some((type) => TYPES[type](value)),
  const: (value, only) => value === only,
  enum: (value, these) => these.includes(value),
  pattern: (value, form) => typeof value !== "string" || new RegExp(form, "u").test(value),
  maxLength: (value, most) => typeof value !== "string" || [...value].length <= most,
  minLength: (value, least) => typeof value !== "string" || [...value].length >= least,
  minimum: (value, least) => typeof value !== "bigint" || value >= least,
  maximum: (value, most) => typeof value !== "bigint" || value <= most,
  minItems: (value, least) => !Array.isArray(value) || value.length >= least,
  maxItems: (value, most) => !Array.isArray(value) || value.length <= most,
  minProperties: (value, least) => !(value instanceof Map) || value.size >= least,
  maxProperties: (value, most) => !(value instanceof Map) || value.size <= most,
};

/** The keywords that lead to other schemas, or name a field. */
const INNER = {
  $ref: (value, ref, path, root) => fit(value, root.get("definitions").get(ref.split("/")[2]), path, root),
  required(value, names, path) {
    if (!(value instanceof Map)) return;
    for (const name of names) if (!value.has(name)) throw new RefusedError(`${inside(path, name)}: is missing`);
  },
  properties(value, schemas, path, root) {
    if (!(value instanceof Map)) return;
    for (const [name, schema] of schemas) if (value.has(name)) fit(value.get(name), schema, inside(path, name), root);
  },
  additionalProperties(value, schema, path, root, known) {
    if (!(value instanceof Map)) return;
    for (const [name, item] of value) {
      if (known?.has(name)) continue;
      if (schema === false) throw new RefusedError(`${inside(path, name)}: is not a field of this version`);
      fit(item, schema, inside(path, name), root);
    }
  },
  items(value, schema, path, root) {
    if (Array.isArray(value)) value.forEach((item, index) => fit(item, schema, `${path}[${index}]`, root));
  },
  dependencies(value, needs, path) {
    if (!(value instanceof Map)) return;
    for (const [name, others] of needs)
      if (value.has(name) && !others.every((other) => value.has(other)))
        throw new RefusedError(`${path}: ${[...needs.keys()].sort().join(" and ")} come together or not at all`);
  },
  if(value, condition, path, root, known, schema) {
    const branch = schema.get(fits(value, condition, root) ? "then" : "else");
    if (branch) fit(value, branch, path, root);
  },
};

const schemas = new Map(); // each read once

/** @throws {RefusedError} the value does not fit the schema; the message names the path in it */
function checkSchema(name, value) {
  if (!schemas.has(name)) schemas.set(name, decode(SCHEMAS[name], Number.MAX_SAFE_INTEGER));
  fit(value, schemas.get(name), "", schemas.get(name));
}

function fit(value, schema, path, root) {
  for (const [keyword, given] of schema) {
    if (IGNORED.has(keyword)) continue;
    if (INNER[keyword]) INNER[keyword](value, given, path, root, schema.get("properties"), schema);
    else if (!KEYWORDS[keyword](value, given)) {
      const expected = schema.get("description") ?? "an object";
      throw new RefusedError(`${path ? `${path}: ` : ""}expected ${expected}, found ${found(value)}`);
    }
  }
}

function fits(value, schema, root) {
  try {
    fit(value, schema, "", root);
    return true;
  } catch (error) {
    if (error instanceof RefusedError) return false;
    throw error;
  }
}

function inside(path, name) {
  return clean(path ? `${path}.${name}` : name, 160);
}

/** What stands there instead, without repeating it. */
function found(value) {
  if (typeof value === "string") return `${[...value].length} characters`;
  if (Array.isArray(value)) return `an array of ${value.length}`;
  return value instanceof Map ? `an object of ${value.size}` : String(value);
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
  if (!HEX128.test(signature) || !HEX64.test(key) || isSmallOrder(key)) return false;
  if (!webcrypto?.subtle) throw new UnavailableError("this runtime has no WebCrypto (a page needs https or file)");
  try {
    const imported = await webcrypto.subtle.importKey("raw", bytesOfHex(key), { name: "Ed25519" }, false, ["verify"]);
    return await webcrypto.subtle.verify({ name: "Ed25519" }, imported, bytesOfHex(signature), message);
  } catch (error) {
    if (error.name === "NotSupportedError") throw new UnavailableError("this runtime has no Ed25519");
    return false; // bytes that are no key
  }
}

const SMALL_ORDER = new Set([
  "0".repeat(64),
  `01${"0".repeat(62)}`,
  ...["ec", "ed", "ee"].map((byte) => `${byte}${"f".repeat(60)}7f`),
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
]);

/** Whether a key is a point without a private key, under which some implementations find that anybody's signature fits. */
function isSmallOrder(key) {
  const last = parseInt(key.slice(62), 16) & 0x7f; // the highest bit is the sign of x
  return SMALL_ORDER.has(key.slice(0, 62) + last.toString(16).padStart(2, "0"));
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

function bytesOfBase64(text, path) {
  const isBase64 = text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text);
  if (!isBase64 || btoa(atob(text)) !== text) throw new RefusedError(`${path}: is not base64 in its one spelling`);
  return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
}

function bytesOfHex(hex) {
  return Uint8Array.from(hex.match(/../g), (pair) => parseInt(pair, 16));
}

/** One harmless line of a stranger's text: whatever is not printable ASCII becomes a visible escape. */
export function clean(value, limit = 500) {
  const shown = value.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return shown.length <= limit ? shown : `${shown.slice(0, limit - 1)}…`;
}
