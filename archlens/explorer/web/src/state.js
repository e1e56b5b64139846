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
  find: "",
  window: "5,3,2,1,1,1,0,0",
  stack: "3 3",
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
