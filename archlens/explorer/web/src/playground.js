// The bundle of the playground: the viewer, and what archlens itself answers in the page.
import "./whatif.js";
import "./main.js";
