// Draws a stream's series with dygraphs, and its legend from text.
import { element, formatNumber } from "./dom.js";

const { Dygraph } = window;
const COLORS = [
  "#2f81d6", "#e0752d", "#2f9e58", "#cf4a4a", "#8b63d1", "#17a2a2", "#c1549c", "#8a7f24", "#5b7c99", "#a86a3d",
  "#4c6fff", "#d99a1c", "#53b848", "#f0647c", "#6a4fb3", "#35b7d6", "#e27cc4", "#6b8e23", "#7a8594", "#b5533c",
];

const darkness = matchMedia("(prefers-color-scheme: dark)");

function themeOptions() {
  const line = getComputedStyle(document.documentElement).getPropertyValue("--line").trim();
  return { gridLineColor: line, axisLineColor: line };
}

export class Chart {
  #graph = null;
  #drawn = -1; // the version of the series that is on the screen
  #hover; // time under the pointer
  #series;
  #canvas;
  #legend;
  #retheme = () => this.#graph?.updateOptions(themeOptions());

  constructor(series, canvas, legend) {
    this.#series = series;
    this.#canvas = canvas;
    this.#legend = legend;
    new ResizeObserver(() => this.#graph?.resize()).observe(canvas);
    darkness.addEventListener("change", this.#retheme);
  }

  draw() {
    if (this.#drawn === this.#series.version) return;
    this.#drawn = this.#series.version;
    if (this.#series.isEmpty) {
      this.#clear();
    } else {
      this.#drawGraph();
    }
    this.#drawLegend();
  }

  destroy() {
    darkness.removeEventListener("change", this.#retheme);
    this.#clear();
  }

  #clear() {
    this.#graph?.destroy();
    this.#graph = null;
    this.#legend.replaceChildren();
  }

  #drawGraph() {
    const file = this.#series.table();
    const data = { labels: ["time", ...this.#series.labels], colors: COLORS, drawPoints: file.length < 40 };
    if (this.#graph) {
      this.#graph.updateOptions({ file, ...data });
    } else {
      this.#graph = new Dygraph(this.#canvas, file, { ...this.#options(), ...data });
    }
  }

  #options() {
    const { mousedown, dblclick } = Dygraph.defaultInteractionModel;
    return {
      ...themeOptions(),
      legend: "never",
      interactionModel: { mousedown, dblclick }, // no touch: a finger scrolls the page
      connectSeparatedPoints: true,
      strokeWidth: 1.5,
      pointSize: 2,
      axisLabelFontSize: 11,
      axes: { y: { axisLabelWidth: 44, axisLabelFormatter: formatNumber }, x: { axisLabelWidth: 64 } },
      yRangePad: 8,
      highlightCircleSize: 3,
      highlightCallback: (_, time) => this.#hoverAt(time),
      unhighlightCallback: () => this.#hoverAt(undefined),
    };
  }

  #hoverAt(time) {
    this.#hover = time;
    this.#drawLegend();
  }

  #drawLegend() {
    const values = this.#series.valuesAt(this.#hover);
    this.#legend.replaceChildren(...this.#series.labels.map((label, i) => {
      const item = element("li");
      const dot = element("i");
      dot.style.background = COLORS[i % COLORS.length];
      item.append(dot, element("span", "", label), element("b", "", formatNumber(values[i])));
      return item;
    }));
  }
}
