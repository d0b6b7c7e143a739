// Draws the diagrams of a page in the colours of the moment, and again when the reader changes those.

const diagrams = [...document.querySelectorAll("pre.mermaid")].map((element) => ({ element, source: element.textContent }));
const system = matchMedia("(prefers-color-scheme: dark)");

async function draw() {
  const chosen = document.body.dataset.theme;
  const isDark = chosen === "dark" || (chosen !== "light" && system.matches);
  mermaid.initialize({ startOnLoad: false, securityLevel: "strict", theme: isDark ? "dark" : "neutral" });
  for (const { element, source } of diagrams) {
    element.textContent = source;
    delete element.dataset.processed;
  }
  await mermaid.run({ nodes: diagrams.map(({ element }) => element) });
}

draw();
system.addEventListener("change", draw);
new MutationObserver(draw).observe(document.body, { attributeFilter: ["data-theme"] });
