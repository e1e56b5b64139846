// The editor of a spec: CodeMirror with the words of the language, and diagnostics at their places.

import {
  autocompletion,
  closeBrackets,
  closeBracketsKeymap,
  completionKeymap,
} from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { bracketMatching, HighlightStyle, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, lintKeymap, setDiagnostics } from "@codemirror/lint";
import { EditorState } from "@codemirror/state";
import {
  Decoration,
  drawSelection,
  EditorView,
  highlightActiveLine,
  keymap,
  lineNumbers,
  MatchDecorator,
  ViewPlugin,
} from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { h } from "./dom.js";

/**
 * What is wrong at a place: a line from 1, a column from 0, how many characters; or nowhere.
 * @typedef {object} Mark
 * @property {[number, number, number] | []} place
 * @property {string} message
 * @property {string[]} notes
 * @property {string} help
 * @property {"error" | "warning" | "advice"} severity
 * @property {string} code
 */

/**
 * The words that can stand at the end of a line: how much of it stays, and each word with what is put there, what
 * stands beside it, and lines about it; the likeliest first.
 * @typedef {{start: number, words: [string, string, string, string][]}} Completion
 */

const colours = HighlightStyle.define([
  { tag: tags.propertyName, color: "var(--link)" },
  { tag: tags.comment, color: "var(--quiet)", fontStyle: "italic" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--said)" },
  { tag: [tags.punctuation, tags.separator], color: "var(--quiet)" },
]);

const looks = EditorView.theme({
  "&": { height: "100%", color: "var(--text)", backgroundColor: "var(--page)", fontSize: "13px" },
  "&.cm-focused": { outline: "2px solid var(--link)" },
  ".cm-scroller": {
    fontFamily: 'ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace',
    lineHeight: "1.5",
    overflow: "auto",
  },
  ".cm-content": { caretColor: "var(--text)" },
  ".cm-cursor": { borderLeftColor: "var(--text)" },
  ".cm-gutters": {
    backgroundColor: "var(--shade)",
    color: "var(--quiet)",
    borderRight: "1px solid var(--line)",
  },
  ".cm-activeLine": { backgroundColor: "color-mix(in srgb, var(--link) 7%, transparent)" },
  ".cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground": {
    backgroundColor: "color-mix(in srgb, var(--link) 28%, transparent)",
  },
  ".cm-known": { color: "var(--op)" },
  ".cm-argument": { color: "var(--argument)" },
  ".cm-tooltip": {
    backgroundColor: "var(--box)",
    color: "var(--text)",
    border: "1px solid var(--line)",
    borderRadius: "6px",
    maxWidth: "30rem",
  },
  ".cm-tooltip.cm-completionInfo": { padding: "6px 10px", fontSize: "12px", lineHeight: "1.45" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--link)", color: "var(--page)" },
  ".cm-tooltip-autocomplete ul li[aria-selected] .cm-completionDetail": { color: "var(--page)" },
  ".cm-completionDetail": { color: "var(--quiet)", fontStyle: "normal" },
  ".cm-completionMatchedText": { textDecoration: "none", fontWeight: "700" },
  ".cm-diagnostic": { whiteSpace: "pre-wrap", fontSize: "12px", padding: "5px 8px" },
  ".cm-info p": { margin: "0 0 4px" },
  // its own are pictures in addresses, which the page's policy refuses
  ".cm-lint-marker": {
    content: "normal",
    width: "0.6em",
    height: "0.6em",
    borderRadius: "50%",
    margin: "0.45em 0 0 0.2em",
  },
  ".cm-lint-marker-error": { content: "normal", backgroundColor: "var(--failed)" },
  ".cm-lint-marker-warning, .cm-lint-marker-info": { content: "normal", backgroundColor: "var(--here)" },
  ".cm-lintRange-error": {
    backgroundImage: "none",
    textDecoration: "underline wavy var(--failed) 1.5px",
    textDecorationSkipInk: "none",
    backgroundColor: "color-mix(in srgb, var(--failed) 12%, transparent)",
  },
  ".cm-lintRange-warning, .cm-lintRange-info": {
    backgroundImage: "none",
    textDecoration: "underline wavy var(--here) 1px",
    textDecorationSkipInk: "none",
  },
});

/**
 * @param {string} text @param {string[]} ops @param {(line: string) => Promise<Completion>} words
 * @param {(text: string) => void} changed
 */
export function editor(text, ops, words, changed) {
  const host = h("div", { class: "editor" });
  // in a root of its own it needs no element of styles, which the page's policy refuses
  const root = host.attachShadow({ mode: "open" });
  root.adoptedStyleSheets = [filled()];
  const state = (/** @type {string} */ doc) =>
    EditorState.create({
      doc,
      extensions: [
        lineNumbers(),
        history(),
        drawSelection(),
        indentUnit.of("  "),
        EditorState.tabSize.of(2),
        EditorView.lineWrapping,
        highlightActiveLine(),
        bracketMatching(),
        closeBrackets(),
        yaml(),
        syntaxHighlighting(colours),
        known(new Set(ops)),
        autocompletion({ override: [(context) => completed(context, words)], icons: false }),
        lintGutter(),
        looks,
        keymap.of([
          ...closeBracketsKeymap,
          ...defaultKeymap,
          ...historyKeymap,
          ...completionKeymap,
          ...lintKeymap,
          indentWithTab,
        ]),
        EditorView.contentAttributes.of({
          "aria-label": "The spec; Escape, then Tab leaves it",
          tabindex: "0",
        }),
        EditorView.domEventHandlers({ beforeinput: typed }),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) changed(update.state.doc.toString());
        }),
      ],
    });
  const view = new EditorView({ state: state(text), parent: root, root });

  return {
    host,
    text: () => view.state.doc.toString(),
    /** Another text, without a past. @param {string} given */
    replace: (given) => view.setState(state(given)),
    /** @param {Mark[]} marks */
    mark(marks) {
      const { doc } = view.state;
      const found = marks.flatMap((one) => {
        const at = placed(doc, one);
        const told = [one.message, ...one.notes, one.help && `help: ${one.help}`].filter(Boolean).join("\n");
        const severity = one.severity === "advice" ? /** @type {const} */ ("info") : one.severity;
        return at ? [{ ...at, severity, message: told }] : [];
      });
      view.dispatch(setDiagnostics(view.state, found));
    },
    /** @param {Mark} mark */
    go(mark) {
      const at = placed(view.state.doc, mark);
      if (!at) return;
      view.dispatch({ selection: { anchor: at.from, head: at.to }, scrollIntoView: true });
      view.focus();
    },
    /** @param {number} line  from 1 */
    line(line) {
      const { from } = view.state.doc.line(Math.min(Math.max(line, 1), view.state.doc.lines));
      view.dispatch({
        selection: { anchor: from },
        effects: EditorView.scrollIntoView(from, { y: "center" }),
      });
    },
  };
}

function filled() {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(":host{display:block;overflow:hidden}");
  return sheet;
}

/**
 * What is typed goes into the text at once: a browser that puts it into the page itself gives it an element
 * with a style where it replaces what has a colour, which the page's policy refuses.
 * @param {InputEvent} event @param {EditorView} view
 */
function typed(event, view) {
  const text = event.data;
  if (event.inputType !== "insertText" || !text || view.composing || !event.cancelable) return false;
  const { from, to } = view.state.selection.main;
  const insert = () =>
    view.state.update(view.state.replaceSelection(text), { userEvent: "input.type", scrollIntoView: true });
  if (!view.state.facet(EditorView.inputHandler).some((handler) => handler(view, from, to, text, insert)))
    view.dispatch(insert());
  return true;
}

/** Where a mark lies in a text. @param {import("@codemirror/state").Text} doc @param {Mark} mark */
function placed(doc, mark) {
  if (!mark.place.length) return null;
  const [number, column, width] = mark.place;
  const line = doc.line(Math.min(number, doc.lines));
  const from = Math.min(line.from + column, line.to);
  return { from, to: Math.min(from + Math.max(width, 1), Math.max(line.to, from)) };
}

/** Marks ops that there are, and names of arguments. @param {Set<string>} ops */
function known(ops) {
  const made = new MatchDecorator({
    regexp: /(?<![\w.:/"'-])([A-Za-z_]\w*)(?=\s*(\(|=(?!=)|$|[^\w\s:]|\s+(?:>>|\*|if|else|and)))/g,
    decoration: ([, word, next]) => {
      if (next === "=") return Decoration.mark({ class: "cm-argument" });
      return ops.has(word) ? Decoration.mark({ class: "cm-known" }) : null;
    },
  });
  return ViewPlugin.define(
    (view) => ({
      decorations: made.createDeco(view),
      update(update) {
        this.decorations = made.updateDeco(update, this.decorations);
      },
    }),
    { decorations: (plugin) => plugin.decorations },
  );
}

/**
 * What can stand at a place.
 * @param {import("@codemirror/autocomplete").CompletionContext} context
 * @param {(line: string) => Promise<Completion>} words
 * @returns {Promise<import("@codemirror/autocomplete").CompletionResult | null>}
 */
async function completed(context, words) {
  const line = context.state.doc.lineAt(context.pos);
  const before = line.text.slice(0, context.pos - line.from);
  if (!context.explicit && !/([A-Za-z_][\w.]*|[(,]\s*)$/.test(before)) return null;
  const found = await words(before);
  const options = found.words.map(([label, apply, detail, says], i) => ({
    label,
    apply,
    detail,
    boost: Math.max(99 - i, -99),
    info: says
      ? () =>
          h(
            "div",
            { class: "cm-info" },
            says.split("\n").map((one) => h("p", {}, one)),
          )
      : undefined,
  }));
  return { from: line.from + found.start, options, validFor: /^[\w.]*$/ };
}
