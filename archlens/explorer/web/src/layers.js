// The layers of one network, as archlens has written them.

/**
 * @typedef {object} Inside
 * @property {any[][]} layers
 * @property {[string, string][]} scopes
 * @property {{scopes: Scope[], places: Places[]}} nested
 * @property {[string, string, number][]} inputs  each with its shape, and whether that has its channels last
 * @property {[string, number][]} outputs  each with the layer that it comes from
 * @property {[number, [string, number | string][]][]} shared  the layers that have tensors of others, with whose: a layer, or its key
 * @property {[string, number[]]} on
 * @property {[string, string[]][]} sources
 * @property {string[]} strings
 */

/** From which child on how many repeat how often, and in what they differ. @typedef {[number, number, number, string]} Fold */

/**
 * A scope: its layers (0) and scopes (1) by number, and the tensors that enter and leave: layers by number,
 * inputs as -1, -2, ...
 * @typedef {object} Scope
 * @property {string} name
 * @property {string} made
 * @property {[0 | 1, number][]} children
 * @property {number[]} enters
 * @property {number[]} leaves
 * @property {number | null} places
 * @property {Fold[]} [folds]  the children that repeat
 * @property {number | null} [folded]  the places of those of which the first stands for all
 */

/**
 * Where the children of a scope are, then what enters, then what leaves; and the lines between them.
 * @typedef {object} Places
 * @property {[number, number]} size
 * @property {[number, number, number, number][]} boxes
 * @property {[number, number, number[]][]} lines
 */

/**
 * A layer of a network, with its texts.
 * @typedef {object} Layer
 * @property {string} name
 * @property {string} first
 * @property {string} second
 * @property {string} op
 * @property {string} family
 * @property {string} shape
 * @property {number[]} reads
 * @property {number | string} params
 * @property {number | string} macs
 * @property {number} values
 * @property {[string, string][]} derived
 * @property {[number, number] | null} line
 * @property {string | [number, number, number][]} field
 * @property {boolean} training
 */

/** @param {Inside} inside @param {number} number @returns {Layer} */
export function layerOf(inside, number) {
  const [name, first, second, op, family, shape, reads, params, macs, values, derived, line, field, flags] =
    inside.layers[number];
  const said = (/** @type {number} */ i) => inside.strings[i];
  return {
    name: said(name),
    first: said(first),
    second: said(second),
    op: said(op),
    family: said(family),
    shape: said(shape),
    reads,
    params,
    macs,
    values,
    derived: said(derived)
      .split("\n")
      .map((text) => /** @type {[string, string]} */ (text.split("\t", 2))),
    line,
    field,
    training: Boolean(flags & 1),
  };
}
