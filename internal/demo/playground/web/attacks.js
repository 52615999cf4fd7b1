// The attacks of the corpus: choose a kind, fire one, and see what came of it.

import { act, attacks } from './api.js';
import { $, h, verdicts } from './dom.js';
import { t } from './i18n.js';

const mechanisms = ['identity', 'removal', 'upgrade', 'early', 'path', 'policy', 'token', 'several', 'login', 'smuggle', 'errors', 'oracle'];

let shown; // the attack whose result is shown

async function list() {
  try {
    const found = await attacks($('mechanism').value);
    $('corpus').replaceChildren(...found.map(item));
    $('corpus-scroll').scrollTop = 0;
  } catch { /* the event stream says that the server is away */ }
}

function item(attack) {
  return h('li', {}, h('button', { type: 'button', 'data-attack': attack.id, onclick: () => fire(attack) },
    h('span', { class: 'line' }, h('strong', {}, attack.id.split('/').slice(1).join('/')), h('span', { class: 'muted small' }, attack.advisories.slice(0, 2).join(', '))),
    h('code', {}, attack.request)));
}

async function fire(attack) {
  for (const button of $('corpus').querySelectorAll('button')) button.setAttribute('aria-pressed', String(button.dataset.attack === attack.id));
  try {
    const action = await act('attack', { attack: attack.id });
    shown = { attack, action };
  } catch (error) {
    shown = { attack, action: { error: error.message } };
  }
  show();
}

function show() {
  const { attack, action } = shown;
  const result = action.result ?? { verdict: 'inconclusive', reason: action.error };
  const parts = [h('p', {}, h('span', { class: `pill ${verdicts[result.verdict]}` }, t(`verdict.${result.verdict}`)), ' ', h('strong', {}, attack.id))];
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

// start lists the first kind.
export function start() {
  translate();
  $('mechanism').addEventListener('change', list);
  list();
}
