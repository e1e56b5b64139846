// Bundle the viewer into the package's data, ../static or the folder named: explorer.js, explorer.css, and the
// licences of what is in it.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = fileURLToPath(new URL(".", import.meta.url));
const outdir = process.argv[2] ?? join(here, "../static");
const common = { absWorkingDir: here, outdir, bundle: true, minify: true, target: "es2022", charset: "utf8" };

// what runs in the worker of the playground is a text in its bundle
const worker = await build({ ...common, entryPoints: ["src/worker.js"], format: "iife", write: false });

// a style sheet that is imported is its text
/** @type {import("esbuild").Plugin} */
const sheets = {
  name: "sheets",
  setup({ onLoad }) {
    onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const made = await build({ ...common, entryPoints: [path], write: false });
      return { contents: made.outputFiles[0].text.trim(), loader: "text" };
    });
  },
};

const D3 = "d3 modules, (c) 2010-2021 Mike Bostock, ISC licence";
// a page of its own waits for its data, as modules can; what is in somebody else's is a script
const bundles = /** @type {[string, string, "esm" | "iife", string][]} */ ([
  ["explorer", "src/main.js", "esm", D3],
  ["network", "src/network.js", "iife", D3],
  [
    "playground",
    "src/playground.js",
    "esm",
    `${D3}; CodeMirror and Lezer, (c) Marijn Haverbeke and others, MIT licence`,
  ],
]);
const inputs = [];
for (const [name, entry, format, held] of bundles) {
  const { metafile } = await build({
    ...common,
    entryPoints: { [name]: entry },
    format,
    legalComments: "none",
    metafile: true,
    plugins: [sheets],
    define: { WORKER: JSON.stringify(worker.outputFiles[0].text) },
    banner: { js: `/*! with ${held} */` },
  });
  inputs.push(...Object.values(metafile.outputs).flatMap((made) => Object.entries(made.inputs)));
}
await build({ ...common, entryPoints: { explorer: "src/explorer.css" } });

const bundled = new Set(
  inputs
    .filter(([, input]) => input.bytesInOutput)
    .map(([path]) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1])
    .filter((name) => name !== undefined),
);
const licences = [...bundled].sort().map((name) => {
  const folder = join(here, "node_modules", name);
  const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  return `${name} ${version}\n\n${readFileSync(join(folder, "LICENSE"), "utf8").trim()}\n`;
});
writeFileSync(join(outdir, "LICENSES.txt"), licences.join("\n---\n\n"));
