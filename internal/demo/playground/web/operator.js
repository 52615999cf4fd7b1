// What an operator sees and does: sessions, signing keys, and faults of the simulated WeChat.

import { act } from './api.js';
import { $, h, clock } from './dom.js';
import { problem, t } from './i18n.js';

const mostSessions = 50; // that the server lists
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

// operate carries out an action, or says at the top why not. It returns whether it did.
export async function operate(name, args) {
  const { error } = await act(name, args);
  $('problem').hidden = !error;
  $('problem').textContent = problem(error ?? '');
  return !error;
}

async function end(session) {
  if (await operate('end-session', { session })) $('h-sessions').focus(); // the button is gone
}

async function turn(fault, on) {
  const turned = await operate('fault', { fault, on });
  if (!turned) showFaults(armed); // the switch is as it was
  return turned;
}

// disarm turns all faults off.
async function disarm() {
  for (const fault of faults.filter((name) => armed[name])) {
    if (!await turn(fault, false)) return;
  }
  $('h-phone').focus({ preventScroll: true }); // the button is gone
}

function keyItem(key) {
  return h('li', {}, h('code', {}, `${key.id.slice(0, 12)}…`), h('span', { class: `pill ${key.state === 'signing' ? 'good' : ''}` }, t(`key.${key.state}`)),
    h('span', { class: 'muted small' }, `${key.alg} · ${clock(key.created_at)}`));
}

// showFaults shows which switches are on, at the top too: logins fail until they are off.
export function showFaults(next) {
  armed = next;
  for (const name of faults) $(`fault-${name}`).checked = Boolean(armed[name]);
  const on = faults.filter((name) => armed[name]);
  $('armed').hidden = !on.length;
  $('armed-text').textContent = t('armed', { faults: on.map((name) => t(`fault.${name}`)).join(t('comma')) });
}

// translate shows everything in the current language.
export function translate() {
  for (const name of faults) {
    $(`fault-${name}-name`).textContent = t(`fault.${name}`);
    $(`fault-${name}-note`).textContent = t(`fault.${name}.note`);
  }
  showFaults(armed);
  if (!last) return;
  $('sessions').hidden = !last.sessions.length;
  $('sessions-empty').hidden = Boolean(last.sessions.length);
  $('sessions-most').hidden = last.sessions.length < mostSessions;
  $('sessions').tBodies[0].replaceChildren(...last.sessions.map(row));
  $('keys').replaceChildren(...last.keys.map(keyItem));
}

// start makes the switches.
export function start() {
  $('faults').replaceChildren(...faults.map((fault) => h('label', { class: 'switch' },
    h('input', { type: 'checkbox', role: 'switch', id: `fault-${fault}`, onchange: (event) => turn(fault, event.target.checked) }),
    h('span', {}, h('span', { id: `fault-${fault}-name` }), h('br'), h('span', { class: 'muted small', id: `fault-${fault}-note` })))));
  $('rotate').addEventListener('click', () => operate('rotate-key'));
  $('disarm').addEventListener('click', disarm);
  translate();
}
