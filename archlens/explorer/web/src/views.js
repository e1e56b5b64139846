// The views of the page beyond those of every page: what a bundle adds to this list before the viewer starts.

/** @typedef {import("./state.js").State} State */

/**
 * @typedef {object} View
 * @property {string} key  by which an address names it
 * @property {string} title
 * @property {(state: State, set: (change: Partial<State>, quiet?: boolean) => void) => HTMLElement} show
 * @property {(state: State) => string} command  what makes on the command line what it shows
 * @property {() => void} [themed]  what it does when the page has turned light or dark
 */

/** @type {View[]} */
export const further = [];
