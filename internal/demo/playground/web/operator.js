// What an operator sees and does: sessions, signing keys, and faults of the simulated WeChat.

import { act } from './api.js';
import { $, h, clock } from './dom.js';
import { t } from './i18n.js';

const faults = ['busy', 'quota', 'slow', 'timeout', 'reset', 'html', 'http500', 'secret'];
let last; // the tables shown
let armed = {};

// showTables shows the sessions and the keys.
export function showTables(tables) {
  if (JSON.stringify(tables) === JSON.stringify(last)) return;
  last = tables;
  translate();
}

function row(session) {
  const name = session.openid;
  return h('tr', {},
    h('td', {}, h('strong', {}, name)),
    h('td', {}, h('code', {}, session.app.replace(/0{6,}/, '…'))),
    h('td', { class: 'extra' }, clock(session.login)),
    h('td', { class: 'extra' }, h('code', {}, `${session.session.slice(0, 8)}…`)),
    h('td', {}, session.phone_verified ? h('span', { class: 'pill good' }, t('verified')) : h('span', { class: 'pill' }, t('unknown'))),
    h('td', {}, h('button', { type: 'button', class: 'danger', 'aria-label': t('endOf', { name }), onclick: () => end(session.session) }, t('end'))));
}

async function end(session) {
  await act('end-session', { session });
  $('h-sessions').focus(); // the button is gone
}

function keyItem(key) {
  return h('li', {}, h('code', {}, `${key.id.slice(0, 12)}…`), h('span', { class: `pill ${key.state === 'signing' ? 'good' : ''}` }, t(`key.${key.state}`)),
    h('span', { class: 'muted small' }, `${key.alg} · ${clock(key.created_at)}`));
}

// showFaults shows which switches are on.
export function showFaults(next) {
  armed = next;
  for (const name of faults) {
    const input = $(`fault-${name}`);
    if (input) input.checked = Boolean(armed[name]);
  }
}

// translate shows everything in the current language.
export function translate() {
  for (const name of faults) {
    $(`fault-${name}-name`).textContent = t(`fault.${name}`);
    $(`fault-${name}-note`).textContent = t(`fault.${name}.note`);
  }
  if (!last) return;
  $('sessions').hidden = !last.sessions.length;
  $('sessions-empty').hidden = Boolean(last.sessions.length);
  $('sessions').tBodies[0].replaceChildren(...last.sessions.map(row));
  $('keys').replaceChildren(...last.keys.map(keyItem));
}

// start makes the switches.
export function start() {
  $('faults').replaceChildren(...faults.map((fault) => h('label', { class: 'switch' },
    h('input', { type: 'checkbox', role: 'switch', id: `fault-${fault}`, onchange: (event) => act('fault', { fault, on: event.target.checked }) }),
    h('span', {}, h('span', { id: `fault-${fault}-name` }), h('br'), h('span', { class: 'muted small', id: `fault-${fault}-note` })))));
  $('rotate').addEventListener('click', () => act('rotate-key'));
  translate();
}
