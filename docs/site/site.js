// What scrolls can be reached by the keyboard, also what the theme wraps later; and the search has a name.
function reachable() {
  for (const part of document.querySelectorAll(".md-typeset pre, .md-typeset__scrollwrap")) {
    if (part.tabIndex !== 0) part.tabIndex = 0;
  }
}
reachable();
new MutationObserver(reachable).observe(document.body, { childList: true, subtree: true });
document.querySelector(".md-search")?.setAttribute("aria-label", "Search");
