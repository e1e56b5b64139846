// What is shown, and the fragment of an address that restores it.

/** What is shown first; a key whose value is this is not said in an address. */
export const FIRST = {
  view: "bars",
  metric: "params",
  scale: "linear",
  sort: "value",
  set: "beginning",
  q: "",
  net: "",
  with: "",
  x: "macs",
  y: "top1",
  area: "params",
  front: "",
  layer: "",
  open: "",
  heat: "",
  repeats: "",
  find: "",
  window: "5,3,2,1,1,1,0,0",
  stack: "3 3",
  // of what is written in the playground: its text, packed; the network it was begun with; what is different
  spec: "",
  from: "",
  variant: "",
  inputs: "",
  values: "",
  limits: "",
  tab: "graph",
  style: "volumes",
};

/** @typedef {typeof FIRST} State */

/** @param {State} state @returns {string} */
export function toFragment(state) {
  const said = /** @type {(keyof State)[]} */ (Object.keys(FIRST))
    .filter((key) => state[key] !== FIRST[key])
    .map((key) => `${key}=${encodeURIComponent(state[key])}`);
  return said.join("&");
}

/** What a fragment says; what is no state is passed over. @param {string} fragment @returns {State} */
export function fromFragment(fragment) {
  const state = { ...FIRST };
  for (const part of fragment.replace(/^#/, "").split("&")) {
    const [key, value = ""] = part.split("=", 2);
    if (!Object.hasOwn(FIRST, key)) continue;
    try {
      state[/** @type {keyof State} */ (key)] = decodeURIComponent(value);
    } catch {
      // half of an escape: as if it was not there
    }
  }
  return state;
}

/** How long a text may be that an address holds, so that no address takes all memory. */
const LONGEST = 2_000_000;

/** A text in letters that an address can have. @param {string} text @returns {Promise<string>} */
export async function packed(text) {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  let letters = "";
  for (const byte of bytes) letters += String.fromCharCode(byte);
  return btoa(letters).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/**
 * The text again; empty where it is none, or longer than it may be.
 * @param {string} letters @param {number} [most] @returns {Promise<string>}
 */
export async function unpacked(letters, most = LONGEST) {
  try {
    const bytes = Uint8Array.from(atob(letters.replaceAll("-", "+").replaceAll("_", "/")), (one) =>
      one.charCodeAt(0),
    );
    const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
    const decoder = new TextDecoder();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return text + decoder.decode();
      text += decoder.decode(value, { stream: true });
      if (text.length > most) return "";
    }
  } catch {
    return "";
  }
}
