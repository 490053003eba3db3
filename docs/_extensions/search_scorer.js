// How a page is ranked in the search: as by default, but who wants to begin finds the two pages for that first.
var Scorer = {
  score: ([page, , , , score]) => {
    const query = new URLSearchParams(location.search).get("q") || "";
    const begins = /^\s*(install|set ?up|start|begin|getting started)/i.test(query);
    return begins && ["install", "quickstart"].includes(page) ? score + 30 : score;
  },
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
