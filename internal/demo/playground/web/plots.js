// Three plots of the requests of the last minutes: logins, latencies, outcomes.

import { $, duration, h, kind } from './dom.js';
import { t } from './i18n.js';

const minutes = 5;
const bins = 30;
const height = 122;
const left = 46; // the vertical axis: its labels are before it
const top = 8;
const floor = 100; // the horizontal axis: its labels are below it
let width = 300; // of a plot, in pixels

const span = minutes * 60_000;
const x = (at, now) => left + (width - left) * (1 - (now - at) / span);

const label = (text, attributes) => h('text', { class: 'tick', ...attributes }, text);
const title = (text) => h('title', {}, text);

// grid is a horizontal line with its value.
const grid = (y, text) => [
  h('line', { class: 'axis', x1: left, x2: width, y1: y, y2: y }),
  label(text, { x: left - 6, y: y + 3, 'text-anchor': 'end' }),
];

// binned counts samples by time: one list of counts a style.
function binned(samples, now, styles, styleOf) {
  const counts = Array.from({ length: bins }, () => Object.fromEntries(styles.map((style) => [style, 0])));
  for (const sample of samples) {
    const bin = Math.min(bins - 1, Math.max(0, Math.floor(bins * (1 - (now - sample.at) / span))));
    counts[bin][styleOf(sample)] += 1;
  }
  return counts;
}

// bars are the counts of samples, one bar for each ten seconds. names are the styles' in words.
function bars(counts, names) {
  const styles = Object.keys(names);
  const highest = Math.max(4, ...counts.map((bin) => styles.reduce((sum, style) => sum + bin[style], 0)));
  const each = (width - left) / bins;
  const shapes = [...grid(floor, '0'), ...grid(top, String(highest))];
  counts.forEach((bin, i) => {
    let y = floor;
    for (const style of styles) {
      const size = (bin[style] / highest) * (floor - top);
      if (!size) continue;
      y -= size;
      shapes.push(h('rect', { class: style, x: left + i * each + 1, y, width: each - 2, height: size, rx: 1.5 }, title(`${names[style]} ${bin[style]}`)));
    }
  });
  return shapes;
}

// dots are the latencies, by their order of magnitude: one slow request must not hide the rest.
function dots(samples, now) {
  const highest = Math.max(1, Math.ceil(Math.log10(Math.max(1, ...samples.map((sample) => sample.ms)))));
  const lowest = -1; // 0.1 ms
  const y = (ms) => floor - ((Math.max(lowest, Math.log10(ms)) - lowest) / (highest - lowest)) * (floor - top);
  const shapes = [];
  for (let power = lowest; power <= highest; power++) {
    const ms = 10 ** power;
    shapes.push(...grid(y(ms), ms < 1000 ? `${ms} ms` : `${ms / 1000} s`));
  }
  for (const sample of samples) {
    shapes.push(h('circle', { class: 'dot', cx: x(sample.at, now), cy: y(sample.ms), r: 3 },
      title([sample.status, sample.code, duration(sample.ms)].filter(Boolean).join(' · '))));
  }
  return shapes;
}

function figure(caption, value, summary, shapes, legend) {
  return h('figure', { class: 'plot card' },
    h('figcaption', {}, caption, h('strong', {}, value)),
    h('svg', { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': summary }, ...shapes,
      label(t('ago', { n: minutes }), { x: left, y: height - 6 }), label(t('now'), { x: width, y: height - 6, 'text-anchor': 'end' })),
    h('p', { class: 'legend' }, ...legend.map(([style, text]) => h('span', {}, style && h('i', { class: style }), text))));
}

// counted is a plot of bars, whose legend has the numbers.
function counted(caption, value, summary, samples, now, names, styleOf) {
  const styles = Object.keys(names);
  return figure(caption, value, summary, bars(binned(samples, now, styles, styleOf), names),
    styles.map((style) => [style, `${names[style]} ${samples.filter((sample) => styleOf(sample) === style).length}`]));
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

// show draws the plots.
export function show(all) {
  width = $('plots').querySelector('svg')?.clientWidth || width;
  const now = Date.now();
  const samples = all.filter((sample) => sample.at > now - span);
  const logins = samples.filter((sample) => sample.name === 'login');
  const styleOf = (sample) => kind(sample.status);
  const isGood = (sample) => styleOf(sample) === 'good';
  const failed = (list) => list.length - list.filter(isGood).length;
  const times = samples.map((sample) => sample.ms);
  const none = t('noRequests');
  const middle = samples.length ? duration(median(times)) : none;
  const slowest = samples.length ? duration(Math.max(...times)) : '–';
  const numbers = { n: samples.length, failed: failed(samples) };
  $('plots').replaceChildren(
    counted(t('logins'), String(logins.length), t('loginsSummary', { n: logins.length, failed: failed(logins) }), logins, now,
      { good: t('succeeded'), bad: t('refused') }, (login) => (isGood(login) ? 'good' : 'bad')),
    figure(t('latency'), middle, samples.length ? t('latencySummary', { ...numbers, middle, slowest }) : none, dots(samples, now),
      [['dot', t('perRequest')], ['', t('slowest', { slowest })]]),
    counted(t('outcomes'), samples.length ? t('outcomesValue', numbers) : none, t('outcomesSummary', numbers), samples, now,
      { good: '2xx', warn: '4xx', bad: '5xx' }, styleOf),
  );
}
