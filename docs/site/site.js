// What scrolls can be reached by the keyboard, also what the theme wraps later; and the search has a name.
const narrow = window.matchMedia("(max-width: 720px)");
function reachable() {
  for (const part of document.querySelectorAll(".md-typeset pre, .md-typeset__scrollwrap")) {
    if (part.tabIndex !== 0) part.tabIndex = 0;
  }
  for (const part of document.querySelectorAll('.md-typeset p:has(> img[src*="pictures/"]:only-child)')) {
    if ((part.tabIndex === 0) !== narrow.matches) part.tabIndex = narrow.matches ? 0 : -1;
  }
}
reachable();
narrow.addEventListener("change", reachable);
new MutationObserver(reachable).observe(document.body, { childList: true, subtree: true });
document.querySelector(".md-search")?.setAttribute("aria-label", "Search");
