// Outputs that scroll can be reached by the keyboard, and the search has a name.
for (const code of document.querySelectorAll("pre > code")) code.tabIndex = 0;
document.querySelector(".md-search")?.setAttribute("aria-label", "Search");
