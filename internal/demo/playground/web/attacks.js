// The attacks of the corpus: choose a kind, fire one, and see what came of it.

import { act, attacks } from './api.js';
import { $, h, tabStop, verdicts, withArrows } from './dom.js';
import { problem, t } from './i18n.js';

const mechanisms = ['identity', 'removal', 'upgrade', 'early', 'path', 'policy', 'token', 'several', 'login', 'smuggle', 'errors', 'oracle'];

let listed; // the kind whose attacks are listed
let shown; // the attack whose result is shown

// list lists the attacks of the chosen kind.
export async function list() {
  const kind = $('mechanism').value;
  if (kind === listed) return;
  try {
    const found = await attacks(kind);
    if (kind !== $('mechanism').value) return; // another was chosen meanwhile
    listed = kind;
    $('corpus').replaceChildren(...found.map(item));
    tabStop($('corpus'), $('corpus').querySelector('button'));
    $('corpus-scroll').scrollTop = 0;
  } catch { /* the event stream says that the server is down */ }
}

function item(attack) {
  return h('li', {}, h('button', { type: 'button', tabindex: '-1', 'data-attack': attack.id, onclick: () => fire(attack) },
    h('span', { class: 'line' }, h('strong', {}, attack.id.split('/').slice(1).join('/')), h('span', { class: 'muted small' }, attack.advisories.slice(0, 2).join(', '))),
    h('code', {}, attack.request)));
}

async function fire(attack) {
  for (const button of $('corpus').querySelectorAll('button')) button.setAttribute('aria-pressed', String(button.dataset.attack === attack.id));
  shown = { attack, action: await act('attack', { attack: attack.id }) };
  show();
}

function show() {
  const { attack, action } = shown;
  const result = action.result ?? { verdict: 'inconclusive', reason: problem(action.error) };
  $('verdict').replaceChildren(h('span', { class: `pill ${verdicts[result.verdict]}` }, t(`verdict.${result.verdict}`)), ' ', h('strong', {}, attack.id));
  const parts = [];
  if (result.reason) parts.push(h('p', {}, result.reason));
  const texts = { sent: result.sent, response: result.response, reached: result.reached || (result.sent && t('reachedNothing')), shell: action.curl };
  for (const [name, text] of Object.entries(texts)) {
    if (text) parts.push(h('div', {}, h('h3', {}, t(name)), h('pre', { tabindex: '0', role: 'region', 'aria-label': `${t('attacks')}: ${t(name)}` }, text)));
  }
  $('attack').replaceChildren(...parts);
}

// translate shows everything in the current language.
export function translate() {
  const chosen = $('mechanism').value || mechanisms[0];
  $('mechanism').replaceChildren(...mechanisms.map((name) => h('option', { value: name }, t(`attack.${name}`))));
  $('mechanism').value = chosen;
  if (shown) show();
}

// start connects the choice of a kind.
export function start() {
  translate();
  withArrows($('corpus'));
  $('mechanism').addEventListener('change', list);
}
