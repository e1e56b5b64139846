// What runs beside the page: Pyodide, and archlens in it. It is given the files, and has no other way to any.

/** @param {string} text  gzipped, in base64 */
async function bytes(text) {
  const packed = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

const KINDS = /** @type {Record<string, string>} */ ({ mjs: "text/javascript", wasm: "application/wasm" });

/** @param {Record<string, string>} files */
async function begin(files) {
  /** @type {Record<string, Uint8Array<ArrayBuffer>>} */
  const known = {};
  await Promise.all(
    Object.entries(files).map(async ([name, text]) => {
      known[name] = await bytes(text);
    }),
  );
  const kindOf = (/** @type {string} */ name) => KINDS[name.split(".").pop() ?? ""] ?? "";
  const address = (/** @type {string} */ name) =>
    URL.createObjectURL(new Blob([known[name]], { type: kindOf(name) }));
  // what Pyodide asks for by name is what was given, and all else is not there
  globalThis.fetch = async (/** @type {any} */ asked) => {
    const name = `${asked.url ?? asked}`.split("/").pop() ?? "";
    const found = known[name];
    if (!found) return new Response(null, { status: 404 });
    return new Response(found, { headers: { "Content-Type": kindOf(name) } });
  };
  // a worker from a folder cannot be a module; all that Pyodide wants of one is import(), and it asks by trying this
  /** @type {any} */ (globalThis).importScripts = () => {
    throw new TypeError("there is nothing to import");
  };
  const { loadPyodide } = await import(address("pyodide.mjs"));
  const { default: createPyodideModule } = await import(address("pyodide.asm.mjs"));
  const python = await loadPyodide({
    indexURL: "file:///pyodide/",
    createPyodideModule,
    lockFileContents: new TextDecoder().decode(known["pyodide-lock.json"]),
  });
  python.unpackArchive(known["archlens.zip"], "zip", { extractDir: "/lib/archlens" });
  python.runPython("import sys; sys.path.insert(0, '/lib/archlens')");
  const found = python.runPython("from archlens.playground.answering import answer; answer");
  // what only a mistake or a key needs is imported before there is one
  found(JSON.stringify({ ask: "check", text: "input: 1x4x4\nlayers: ['conv(1, 9)']" }));
  found(JSON.stringify({ ask: "check", text: "input: 1x4x4\nlayers: [conw]" }));
  found(JSON.stringify({ ask: "complete", line: "lay" }));
  return found;
}

/** @type {(question: string) => string} */
let answer;

addEventListener("message", async ({ data }) => {
  if (Array.isArray(data)) {
    const [id, question] = data;
    try {
      postMessage([id, answer(question), ""]);
    } catch (problem) {
      postMessage([id, "", `${problem}`]);
    }
    return;
  }
  try {
    answer = await begin(data);
    postMessage([0, "", ""]);
  } catch (problem) {
    postMessage([0, "", `${problem}`]);
  }
});
