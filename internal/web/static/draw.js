// Bars and timings, as SVG attributes: the page's policy allows no inline style.

const stages = [["read", "read"], ["decode", "decode"], ["preprocess", "prepare"], ["queue", "queue"], ["infer", "infer"]];

export function drawBars(list, predictions) {
  list.replaceChildren(...predictions.map(({ label, probability }) => {
    const item = element("li");
    item.append(element("span", "label", label), bar(probability), element("span", "value", percent(probability)));
    return item;
  }));
  if (predictions.length === 0) list.append(element("li", "none", "No label above the threshold"));
}

export function drawTimings(place, timings) {
  const ms = (name) => timings[`${name}_ms`] ?? 0;
  const sum = stages.reduce((total, [name]) => total + ms(name), 0);
  const total = Math.max(ms("total"), sum) || 1;
  let at = 0;
  place.querySelector(".strip").replaceChildren(...stages.map(([name]) => {
    const piece = rect(ms(name) / total, name, at / total);
    at += ms(name);
    return piece;
  }));
  place.querySelector(".stages").replaceChildren(
    ...stages.map(([name, word]) => stage(name, word, milliseconds(ms(name)))),
    stage("total", "total", `${milliseconds(ms("total"))} ms`));
}

function stage(name, word, value) {
  const row = element("div", `stage ${name}`);
  row.append(element("dt", "", word), element("dd", "", value));
  return row;
}

function bar(probability) {
  const svg = shape("svg");
  svg.setAttribute("class", "bar");
  svg.setAttribute("aria-hidden", "true");
  svg.append(rect(probability, "", 0));
  return svg;
}

function rect(share, name, from) {
  const piece = shape("rect");
  if (name) piece.setAttribute("class", name);
  piece.setAttribute("x", `${(from * 100).toFixed(2)}%`);
  piece.setAttribute("width", `${(Math.min(Math.max(share, 0), 1) * 100).toFixed(2)}%`);
  piece.setAttribute("height", "100%");
  return piece;
}

const shape = (name) => document.createElementNS("http://www.w3.org/2000/svg", name);

function element(name, className = "", text = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}

export function percent(p) {
  if (p > 0 && p < 0.001) return "< 0.1 %";
  if (p < 1 && p > 0.999) return "> 99.9 %";
  return `${(p * 100).toFixed(1)} %`;
}

export function milliseconds(ms) {
  return ms >= 100 ? ms.toFixed(0) : ms.toFixed(1);
}

export function bytes(n) {
  if (n >= 1e6) return `${(n / 1e6).toFixed(1)} MB`;
  return n >= 1000 ? `${Math.round(n / 1000)} kB` : `${n} bytes`;
}
