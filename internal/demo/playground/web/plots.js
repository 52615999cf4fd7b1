// Three plots of the phone's requests in the last minutes: logins, latencies, outcomes.

import { $, h, kind } from './dom.js';
import { t } from './i18n.js';

const minutes = 5;
const bins = 30;
let width = 300; // of a plot, in pixels
const height = 96;
const floor = 80; // the axis; the rest is its labels

const span = minutes * 60_000;
const x = (at, now) => width * (1 - (now - at) / span);

// binned counts samples by time: one list of counts a style.
function binned(samples, now, styles, styleOf) {
  const counts = Array.from({ length: bins }, () => Object.fromEntries(styles.map((style) => [style, 0])));
  for (const sample of samples) {
    const bin = Math.min(bins - 1, Math.max(0, Math.floor(bins * (1 - (now - sample.at) / span))));
    counts[bin][styleOf(sample)] += 1;
  }
  return counts;
}

function bars(counts, styles) {
  const highest = Math.max(4, ...counts.map((bin) => styles.reduce((sum, style) => sum + bin[style], 0)));
  const shapes = [];
  counts.forEach((bin, i) => {
    let top = floor;
    for (const style of styles) {
      const size = (bin[style] / highest) * (floor - 8);
      if (!size) continue;
      top -= size;
      shapes.push(h('rect', { class: style, x: (i * width) / bins + 1, y: top, width: width / bins - 2, height: size, rx: 1.5 }));
    }
  });
  return shapes;
}

function dots(samples, now) {
  const highest = Math.max(10, ...samples.map((sample) => sample.ms));
  const y = (ms) => floor - (Math.sqrt(ms) / Math.sqrt(highest)) * (floor - 10);
  return [
    h('text', { class: 'tick', x: 0, y: 9 }, `${Math.round(highest)} ms`),
    ...samples.map((sample) => h('circle', { class: 'dot', cx: x(sample.at, now), cy: y(sample.ms), r: 3 })),
  ];
}

function figure(title, value, summary, shapes, legend) {
  return h('figure', { class: 'plot card' },
    h('figcaption', {}, title, h('strong', {}, value)),
    h('svg', { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': summary },
      h('line', { class: 'axis', x1: 0, x2: width, y1: floor, y2: floor }), ...shapes),
    h('p', { class: 'legend' }, ...legend.map(([style, text]) => h('span', {}, h('i', { class: style }), text))));
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.length ? sorted[Math.floor(sorted.length / 2)] : 0;
}

// show draws the plots.
export function show(all) {
  width = $('plots').querySelector('svg')?.clientWidth || width;
  const now = Date.now();
  const samples = all.filter((sample) => sample.at > now - span);
  const logins = samples.filter((sample) => sample.name === 'login');
  const outcome = ['good', 'bad'];
  const styles = ['good', 'warn', 'bad'];
  const styleOf = (sample) => kind(sample.status);
  const count = (list, style) => list.filter((sample) => styleOf(sample) === style).length;
  const middle = `${median(samples.map((sample) => sample.ms)).toFixed(1)} ms`;
  const failed = count(samples, 'warn') + count(samples, 'bad');
  $('plots').replaceChildren(
    figure(t('logins'), String(logins.length), t('loginsSummary', { n: logins.length, failed: logins.length - count(logins, 'good') }),
      bars(binned(logins, now, outcome, (login) => (styleOf(login) === 'good' ? 'good' : 'bad')), outcome), [['good', t('succeeded')], ['bad', t('refused')]]),
    figure(t('latency'), middle, t('latencySummary', { n: samples.length, middle }), dots(samples, now), [['dot', t('perRequest')]]),
    figure(t('outcomes'), t('outcomesValue', { n: samples.length, failed }), t('outcomesSummary', { n: samples.length, failed }),
      bars(binned(samples, now, styles, styleOf), styles), [['good', '2xx'], ['warn', '4xx'], ['bad', '5xx']]),
  );
}
