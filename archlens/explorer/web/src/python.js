// archlens in a worker: questions and answers in JSON. What the worker runs, Pyodide and archlens, stands in
// runtime.js beside the page as text, so that nothing is fetched, and the page works from a folder.

/** The source of the worker, which the build puts here. */
/** @type {string} */
const source = WORKER;

/** @type {Worker | null} */
let worker = null;
let number = 0;
/** @type {Map<number, {done: (answer: any) => void, failed: (problem: Error) => void}>} */
const waiting = new Map();

/** @type {Promise<number> | null} */
let ready = null;

/** Start it, once; milliseconds that it took. @returns {Promise<number>} */
export function start() {
  ready ??= begin();
  return ready;
}

async function begin() {
  const from = performance.now();
  const files = await runtime();
  const address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const made = new Worker(address);
  worker = made;
  await new Promise((done, failed) => {
    made.onmessage = ({ data: [id, answer, problem] }) => {
      if (id === 0) {
        if (problem) failed(new Error(problem));
        else done(0);
        return;
      }
      const one = waiting.get(id);
      waiting.delete(id);
      if (problem) one?.failed(new Error(problem));
      else one?.done(JSON.parse(answer));
    };
    made.onerror = (event) => failed(new Error(event.message || "the worker cannot be started"));
    made.postMessage(files);
  });
  return performance.now() - from;
}

/** The files of runtime.js. @returns {Promise<Record<string, string>>} */
function runtime() {
  return new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = "runtime.js";
    script.onload = () => {
      const known = /** @type {any} */ (globalThis);
      const files = known.archlensRuntime;
      known.archlensRuntime = undefined;
      script.remove();
      if (files) done(files);
      else failed(new Error("runtime.js is not what was written beside this page"));
    };
    script.onerror = () => failed(new Error("runtime.js is not beside this page"));
    document.head.append(script);
  });
}

/** Ask archlens. @param {string} what @param {object} given @returns {Promise<any>} */
export async function ask(what, given) {
  await start();
  const id = ++number;
  return new Promise((done, failed) => {
    waiting.set(id, { done, failed });
    worker?.postMessage([id, JSON.stringify({ ask: what, ...given })]);
  });
}

/**
 * The last of several questions: those that are asked while one is being answered are passed over, but for the
 * newest. What is passed over is never answered.
 * @param {(answer: any) => void} then @param {(problem: Error) => void} otherwise
 */
export function latest(then, otherwise) {
  let busy = false;
  /** @type {[string, object] | null} */
  let next = null;
  const go = async (/** @type {string} */ what, /** @type {object} */ given) => {
    busy = true;
    try {
      const answer = await ask(what, given);
      if (!next) then(answer);
    } catch (problem) {
      if (!next) otherwise(/** @type {Error} */ (problem));
    }
    busy = false;
    const one = next;
    next = null;
    if (one) go(...one);
  };
  return (/** @type {string} */ what, /** @type {object} */ given) => {
    if (busy) next = [what, given];
    else go(what, given);
  };
}
