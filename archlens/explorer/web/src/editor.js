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
 * The words of the language: ops by name, with what they do and their arguments (name, default, what it takes,
 * what it means); constructs and keys with what they mean.
 * @typedef {object} Vocabulary
 * @property {Record<string, {signature: string, summary: string, says: string, arguments: [string, string, string, string][]}>} ops
 * @property {[string, string, string][]} constructs
 * @property {[string, string][]} keys
 */

/** @typedef {{blocks: [string, string][], params: [string, string][], names: string[]}} Known */

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
 * @param {string} text @param {Vocabulary} vocabulary @param {() => Known} known
 * @param {(text: string) => void} changed
 */
export function editor(text, vocabulary, known, changed) {
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
        wordsOf(vocabulary),
        autocompletion({ override: [(context) => completed(context, vocabulary, known())], icons: false }),
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

/** Marks ops that there are, and names of arguments. @param {Vocabulary} vocabulary */
function wordsOf(vocabulary) {
  const made = new MatchDecorator({
    regexp: /(?<![\w.:/"'-])([A-Za-z_]\w*)(?=\s*(\(|=(?!=)|$|[^\w\s:]|\s+(?:>>|\*|if|else|and)))/g,
    decoration: ([, word, next]) => {
      if (next === "=") return Decoration.mark({ class: "cm-argument" });
      return Object.hasOwn(vocabulary.ops, word) ? Decoration.mark({ class: "cm-known" }) : null;
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

/** @param {...string} lines */
const info = (...lines) => ({
  info: () =>
    h(
      "div",
      { class: "cm-info" },
      lines.filter(Boolean).map((line) => h("p", {}, line)),
    ),
});

/**
 * What can stand at a place.
 * @param {import("@codemirror/autocomplete").CompletionContext} context
 * @param {Vocabulary} vocabulary @param {Known} known
 * @returns {import("@codemirror/autocomplete").CompletionResult | null}
 */
function completed(context, vocabulary, known) {
  const line = context.state.doc.lineAt(context.pos);
  const before = line.text.slice(0, context.pos - line.from);
  if (/(^|\s)#/.test(before)) return null;
  const word = /[A-Za-z_][\w.]*$/.exec(before)?.[0] ?? "";
  const start = before.slice(0, before.length - word.length);
  const call = called(start);
  if (!word && !context.explicit && !call) return null;
  if (!word && !context.explicit && !/[(,]\s*$/.test(start)) return null;
  const from = context.pos - word.length;
  const valid = /^[\w.]*$/;
  if (!start.trim() && !/^\s/.test(before)) {
    const options = vocabulary.keys.map(([label, said]) => ({
      label,
      apply: `${label}: `,
      type: "property",
      ...info(said),
    }));
    return { from, options, validFor: valid };
  }
  if (call && ["ref", "again"].includes(call)) {
    return { from, options: known.names.map((label) => ({ label, type: "variable" })), validFor: valid };
  }
  /** @type {import("@codemirror/autocomplete").Completion[]} */
  const options = [];
  const op = call && Object.hasOwn(vocabulary.ops, call) ? vocabulary.ops[call] : null;
  if (op) {
    for (const [i, [name, value, takes, meaning]] of op.arguments.entries()) {
      options.push({
        label: name,
        apply: `${name}=`,
        detail: value ? `=${value}` : "",
        type: "property",
        boost: 90 - i,
        ...info(meaning, `takes ${takes}`, value ? `default: ${value}` : "must be given"),
      });
    }
  }
  const block = call && known.blocks.find(([name]) => name === call);
  if (block) {
    for (const parameter of block[1].split(", ").filter(Boolean)) {
      const [name, value] = parameter.split("=");
      options.push({
        label: name,
        apply: `${name}=`,
        detail: value ? `=${value}` : "",
        type: "property",
        boost: 50,
      });
    }
  }
  for (const [label, value] of known.params)
    options.push({ label, detail: value, type: "variable", boost: call ? 10 : -10 });
  if (!call) {
    for (const [label, parameters] of known.blocks) {
      options.push({
        label,
        apply: parameters ? `${label}(` : label,
        detail: `(${parameters})`,
        type: "function",
        boost: 20,
        ...info("a block of this spec"),
      });
    }
    for (const [label, one] of Object.entries(vocabulary.ops)) {
      options.push({
        label,
        apply: one.arguments.some(([, value]) => !value) ? `${label}(` : label,
        detail: one.signature.slice(label.length),
        type: "function",
        ...info(one.summary, one.says, ...one.arguments.map(([name, , , meaning]) => `${name}: ${meaning}`)),
      });
    }
    for (const [label, form, said] of vocabulary.constructs) {
      options.push({
        label,
        detail: form,
        apply: /^\w+:/.test(form) ? `${label}: ` : label,
        type: "keyword",
        boost: -20,
        ...info(said),
      });
    }
  }
  return { from, options, validFor: valid };
}

/** The op or block in whose parentheses a text ends. @param {string} text */
function called(text) {
  let depth = 0;
  for (let i = text.length - 1; i >= 0; i--) {
    if (text[i] === ")" || text[i] === "]") depth++;
    else if (text[i] === "(" || text[i] === "[") {
      if (depth) depth--;
      else if (text[i] === "(") return /(\w+)\s*$/.exec(text.slice(0, i))?.[1] ?? "";
    }
  }
  return "";
}
