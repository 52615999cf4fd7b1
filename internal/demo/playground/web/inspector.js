// The details of an arrow, and the command that does the same as its action.

import { $, clock, duration, h, pretty } from './dom.js';
import { problem, t } from './i18n.js';
import { lineOf, name } from './diagram.js';
import { explain, titleOf } from './phone.js';

let shown;

// show shows an arrow of an action. An action without arrows, such as a switch, has a command
// only.
export function show(action, m) {
  shown = [action, m];
  $('detail').replaceChildren(...(m ? details(m) : [h('p', { class: 'what' }, h('strong', {}, titleOf(action)), h('br'), action.error ? problem(action.error) : t(action.result ? 'attackBelow' : 'noArrow'))]));
  $('shell').hidden = !action.curl;
  $('curl').textContent = action.curl ?? '';
  $('copy').textContent = t('copy');
}

function details(m) {
  const parts = [h('p', { class: 'what' }, h('span', { class: 'muted small' }, t('arrow', { from: name(m.from), to: name(m.to) }), m.ms ? ` · ${duration(m.ms)}` : ''), h('code', {}, lineOf(m)))];
  if (explain(m.code)) parts.push(h('p', {}, explain(m.code)));
  if (m.to === 'upstream' && m.headers.some((header) => header.mark)) parts.push(h('p', { class: 'small muted' }, t('marks')));
  if (m.headers.length) parts.push(section(t('headers'), h('ul', { class: 'fields' }, ...m.headers.map(field))));
  if (m.token) {
    parts.push(section(t('token'), region(t('token'), `${pretty(m.token.header)}\n${timed(pretty(m.token.payload))}`)));
  }
  if (m.body) parts.push(section(t('body'), region(t('body'), pretty(m.body))));
  return parts;
}

// timed adds the time of day to the times of a token, which are seconds since 1970.
const timed = (claims) => claims.replace(/^ +"(?:exp|iat|nbf|auth_time)": (\d+),?$/gm, (line, seconds) => `${line}  ← ${clock(seconds * 1000)}`);

const section = (title, content) => h('div', {}, h('h3', {}, title), content);
const region = (label, text) => h('pre', { tabindex: '0', role: 'region', 'aria-label': label }, text);

function field(header) {
  return h('li', { class: header.mark || 'kept' },
    header.mark && h('em', {}, t(header.mark)), h('span', {}, h('b', {}, header.name), `: ${header.value}`));
}

// empty shows nothing.
export function empty() {
  shown = undefined;
  $('detail').replaceChildren(h('p', { class: 'empty', 'data-t': 'detailEmpty' }, t('detailEmpty')));
  $('shell').hidden = true;
}

// translate shows the same in the current language.
export const translate = () => shown && show(...shown);

// start connects the button that copies the command.
export function start() {
  $('copy').addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText($('curl').textContent);
      $('copy').textContent = t('copied');
    } catch {
      getSelection().selectAllChildren($('curl'));
    }
  });
}
