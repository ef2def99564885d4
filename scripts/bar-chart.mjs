// Horizontal bars as SVG, for a page with a light or a dark background. By hand: these are some rectangles,
// and chart libraries that work without a browser have 60 to 100 MB.

/**
 * Colours of Okabe and Ito: they differ for any kind of colour vision. Labels repeat the meaning of every
 * colour. Text has a contrast of at least 4.5 : 1 (WCAG AA), bars of 3 : 1.
 */
export const themes = {
  light: {
    paper: "#ffffff",
    ink: "#1f2328",
    faint: "#59636e",
    grid: "#d1d9e0",
    series: ["#0072b2", "#d55e00", "#009e73"],
  },
  dark: {
    paper: "#0d1117",
    ink: "#f0f6fc",
    faint: "#9198a1",
    grid: "#3d444d",
    series: ["#56b4e9", "#e69f00", "#2cc9a0"],
  },
};

const font = "-apple-system, 'Segoe UI', 'Noto Sans', Helvetica, Arial, sans-serif";
const margin = 20;
const labelWidth = 148;
const panelGap = 36;
const rowHeight = 30;
const barHeight = 18;
/** Right of the longest bar, for its value. */
const valueWidth = 44;

const escapes = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const escape = (text) => String(text).replace(/[&<>"]/g, (character) => escapes[character]);
const number = (value) => String(Math.round(value * 100) / 100);

function element(name, attributes, content) {
  const written = Object.entries(attributes).map(
    ([key, value]) => ` ${key}="${typeof value === "number" ? number(value) : escape(value)}"`,
  );
  return content === undefined
    ? `<${name}${written.join("")}/>`
    : `<${name}${written.join("")}>${content}</${name}>`;
}

/** Round numbers from 0 to at least `most`, about four of them. */
export function ticksTo(most) {
  const rough = most / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough);
  const count = Math.ceil(most / step - 1e-9);
  return Array.from({ length: count + 1 }, (_, i) => Number((i * step).toPrecision(12)));
}

/**
 * @param chart {
 *   title, subtitle, footer: [lines],
 *   series: [name]                            one for each colour
 *   rows: [{ label, series }]                 `series` is an index
 *   panelWidth                                default: 290
 *   panels: [{ title, bars: [{ value, least, most, limit? } or undefined for each row] }]
 * }
 * @returns the text of an SVG file.
 */
export function drawBars(chart, theme) {
  const { rows, panels, panelWidth = 290 } = chart;
  const width = 2 * margin + labelWidth + panels.length * panelWidth + (panels.length - 1) * panelGap;
  const top = 124;
  const bottom = top + rows.length * rowHeight;
  const height = bottom + 34 + chart.footer.length * 17 + margin - 8;
  const text = (x, y, content, { size = 13, fill = theme.ink, ...more } = {}) =>
    element("text", { x, y, "font-size": size, fill, ...more }, escape(content));

  const parts = [
    element("rect", { width, height, fill: theme.paper }),
    text(margin, 34, chart.title, { size: 18, "font-weight": 600 }),
    text(margin, 56, chart.subtitle, { fill: theme.faint }),
    ...legend(chart.series, theme, text),
    ...rows.map(({ label }, row) =>
      text(margin + labelWidth - 10, middleOf(row) + 4.5, label, { "text-anchor": "end" }),
    ),
    ...panels.flatMap((panel, index) => {
      const left = margin + labelWidth + index * (panelWidth + panelGap);
      return drawPanel(panel, left);
    }),
    ...chart.footer.map((line, index) =>
      text(margin, bottom + 50 + index * 17, line, { size: 12, fill: theme.faint }),
    ),
  ];
  const attributes = {
    xmlns: "http://www.w3.org/2000/svg",
    viewBox: `0 0 ${width} ${height}`,
    width,
    height,
    "font-family": font,
    role: "img",
    "aria-labelledby": "title description",
  };
  const described = [
    element("title", { id: "title" }, escape(chart.title)),
    element("desc", { id: "description" }, escape(describe(chart))),
  ];
  return `${element("svg", attributes, `\n${[...described, ...parts].join("\n")}\n`)}\n`;

  function middleOf(row) {
    return top + row * rowHeight + rowHeight / 2;
  }

  function drawPanel({ title, bars }, left) {
    const most = Math.max(...bars.flatMap((bar) => (bar ? [bar.most, bar.limit ?? 0] : [])), 1e-9);
    const ticks = ticksTo(most);
    const scale = (value) => (value / ticks.at(-1)) * (panelWidth - valueWidth);
    return [
      text(left, top - 12, title, { "font-weight": 600 }),
      ...ticks.flatMap((tick) => {
        const x = left + scale(tick);
        const stroke = tick === 0 ? theme.faint : theme.grid;
        return [
          element("line", { x1: x, x2: x, y1: top, y2: bottom, stroke, "stroke-width": 1 }),
          text(x, bottom + 16, tick, { size: 12, fill: theme.faint, "text-anchor": "middle" }),
        ];
      }),
      ...bars.flatMap((bar, row) =>
        bar ? drawBar(bar, left, middleOf(row), theme.series[rows[row].series]) : [],
      ),
    ];

    function drawBar({ value, least, most: highest, limit }, x, y, fill) {
      const bar = (length, more) =>
        element("rect", { x, y: y - barHeight / 2, width: scale(length), height: barHeight, fill, ...more });
      const [from, to] = [x + scale(least), x + scale(highest)];
      const whisker = `M${number(from)} ${number(y)}H${number(to)}M${number(from)} ${number(y - 5)}v10M${number(to)} ${number(y - 5)}v10`;
      return [
        ...(limit === undefined ? [] : [bar(limit, { class: "limit", "fill-opacity": 0.2 })]),
        bar(value, { class: "bar" }),
        ...(least === highest
          ? []
          : [
              // With an edge of the page's colour, a line can be seen on a bar of any colour.
              element("path", { d: whisker, stroke: theme.paper, "stroke-width": 4, fill: "none" }),
              element("path", { d: whisker, stroke: theme.ink, "stroke-width": 1.5, fill: "none" }),
            ]),
        text(to + 7, y + 4.5, value.toFixed(1), { "font-weight": 600 }),
      ];
    }
  }
}

function legend(series, theme, text) {
  let x = margin;
  return series.flatMap((name, index) => {
    const at = x;
    // No text can be measured here: a letter is about 6.6 wide at this size.
    x += 18 + name.length * 6.6 + 24;
    return [
      element("rect", { x: at, y: 70, width: 12, height: 12, fill: theme.series[index] }),
      text(at + 18, 81, name),
    ];
  });
}

/** The same in words, for readers who cannot see it. */
function describe({ rows, panels, series, subtitle }) {
  const sentences = panels.map(({ title, bars }) => {
    const values = rows.flatMap(({ label, series: index }, row) =>
      bars[row] ? [`${label} (${series[index]}) ${bars[row].value.toFixed(1)}`] : [],
    );
    return `${title}: ${values.join(", ")}.`;
  });
  return `${subtitle}. ${sentences.join(" ")}`;
}
