// One network within somebody else's page: a report, a notebook, a documentation. It has a root of its own, so
// that neither the page's looks nor these reach each other.

import { h } from "./dom.js";
import styles from "./explorer.css";
import { FIRST } from "./state.js";
import { walk } from "./walk.js";

/** Where a page says that it is dark, in the ways that archlens' own pictures know; and where it asks the system. */
const DARK =
  '[data-jp-theme-light="false"],.vscode-dark,.vscode-high-contrast,html[theme="dark"],[data-theme="dark"],' +
  '[data-md-color-scheme="slate"],[data-bs-theme="dark"]';
const ASKED = '[data-theme="auto"]';

const WITHIN = `
:host { display: block; margin: 1em 0; background: var(--page); container-type: inline-size; text-align: left; }
.split { grid-template-columns: minmax(0, 1fr); }
.graph { height: min(70vh, 36rem); }
.panel { max-height: none; }
@container (min-width: 54rem) {
  .split { grid-template-columns: minmax(0, 1fr) 20rem; }
  .panel { max-height: min(70vh, 36rem); overflow-y: auto; }
}
`;

/** @param {HTMLElement} host */
function begin(host) {
  host.dataset.begun = "";
  const text = host.querySelector("script")?.textContent;
  if (!text) return;
  const { hues, ...network } = JSON.parse(text);
  const root = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`${styles}${hues}${WITHIN}`.replaceAll(":root", ":host"));
  root.adoptedStyleSheets = [sheet];
  let state = { ...FIRST };
  const shown = h("div");
  root.append(shown);
  shown.append(
    walk(network, state, (change) => {
      state = { ...state, ...change };
    }),
  );
  const follow = () => {
    host.style.colorScheme = host.closest(DARK) ? "dark" : host.closest(ASKED) ? "light dark" : "light";
  };
  follow();
  const watch = new MutationObserver(follow);
  for (const element of [document.documentElement, document.body])
    watch.observe(element, { attributes: true });
}

for (const host of document.querySelectorAll(".archlens-network:not([data-begun])"))
  begin(/** @type {HTMLElement} */ (host));
