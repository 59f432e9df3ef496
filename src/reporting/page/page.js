// Draws each plot from the specification that stands beside it.
const config = JSON.parse(document.getElementById("plot-config").textContent);

// As many columns of names as fit.
const legendOf = (width) => ({ ...config.legend, columns: Math.max(1, Math.floor(width / 210)) });

const options = (id, width) => ({
  config: { ...config, legend: legendOf(width) },
  renderer: "svg",
  downloadFileName: id,
  actions: { export: true, source: false, compiled: false, editor: false },
  tooltip: { theme: matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light" },
});

async function draw(script) {
  const id = script.id.replace("spec-", "");
  const place = document.getElementById("plot-" + id);
  try {
    await window.vegaEmbed(place, JSON.parse(script.textContent), options(id, place.clientWidth));
    place.querySelector("summary")?.setAttribute("aria-label", "Save the plot");
  } catch (problem) {
    place.textContent = "The plot cannot be drawn: " + problem.message;
    console.error(problem);
  }
}

await Promise.all([...document.querySelectorAll("script.spec")].map(draw));
document.documentElement.dataset.plots = "drawn";
