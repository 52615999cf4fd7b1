// The browsers: one for each door, and the person who is logged in through them.

import { act } from './api.js';
import { $, h, clock, setText } from './dom.js';
import { problem, t } from './i18n.js';
import { operate } from './operator.js';
import { appName, current, explain, scanCode } from './phone.js';

const doors = ['official', 'website', 'webview', 'scan'];
let state;
let sessions = [];
const wrong = new Map(); // why the last button of a door did nothing

const windowOf = (door) => state?.windows.find((shown) => shown.door === door && shown.user === current().user) ?? { door, shows: '' };
const person = () => state?.unionids[current().user];
const theirs = () => sessions.filter((session) => session.unionid && session.unionid === person());
const waits = (shown) => ['waiting', 'scanned'].includes(shown.scan);

async function run(name, door, button) {
  button.ariaBusy = 'true';
  wrong.delete(door);
  const { error } = await act(name, { ...current(), door });
  if (error) wrong.set(door, error);
  showWindow(door);
  button.ariaBusy = null;
}

// step is the next thing to do in a browser: the text of its button, and what that does.
function step(shown) {
  const visit = (text) => [t(text), () => run('visit', shown.door, $(`go-${shown.door}`))];
  switch (shown.shows) {
    case '': return visit(shown.door === 'webview' ? 'openWebView' : 'openPage');
    case 'wechat': return [t('allow', current()), () => run('allow', shown.door, $(`go-${shown.door}`))];
    case 'question': return [t('goOn'), () => run('go-on', shown.door, $(`go-${shown.door}`))];
    case 'code': return waits(shown) ? [t('scanIt'), () => scanCode($(`go-${shown.door}`))] : visit('newCode');
    default: return visit('reload');
  }
}

// status is what a browser is doing, and how that is colored.
function status(shown) {
  if (shown.shows === 'wechat' || shown.shows === 'question') return ['warn', t('asksUser')];
  if (shown.shows === 'code') return [waits(shown) ? 'warn' : 'bad', t(`scan.${shown.scan}`)];
  if (shown.shows === 'refusal') return ['bad', `${shown.status} ${shown.code ?? ''}`.trim()];
  if (!shown.has_cookie) return ['', t('loggedOut')];
  return theirs().some((session) => session.door === shown.door) ? ['good', t('loggedIn')] : ['bad', t('sessionEnded')];
}

function content(shown) {
  const error = wrong.get(shown.door);
  if (error) return [h('p', { class: 'wrong', role: 'alert' }, problem(error))];
  switch (shown.shows) {
    case '': return [h('p', { class: 'muted' }, t(`door.${shown.door}.note`))];
    case 'wechat': return [h('p', { class: 'asks' }, t('wechatAsks', current()))];
    case 'question': return [h('p', { class: 'asks' }, t('question', current()))];
    case 'code': return [h('div', { class: 'code' },
      h('img', { src: shown.image, alt: t('codeOf'), width: 116, height: 116 }),
      h('p', {}, t('numberShown'), h('strong', {}, shown.number)))];
    case 'refusal': return [h('p', {}, explain(shown.code) || t(shown.code ? 'refusedPage' : 'byUpstream'))];
    default: {
      const lines = shown.text?.split('\n').filter((line) => /^x-wx-/i.test(line)) ?? [];
      if (!lines.length) return [h('pre', { tabindex: '0', role: 'region', 'aria-label': t('upstream') }, shown.text ?? '')]; // of a service of the user's
      return [h('p', { class: 'small muted' }, t('received')), h('ul', { class: 'fields' }, ...lines.map((line) => {
        const [name, ...rest] = line.split(': ');
        return h('li', {}, h('b', {}, name), `: ${rest.join(': ')}`);
      }))];
    }
  }
}

function showWindow(door) {
  const shown = windowOf(door);
  const [style, text] = status(shown);
  $(`name-${door}`).textContent = t(`door.${door}`);
  $(`pill-${door}`).className = `pill ${style}`;
  setText($(`pill-${door}`), text);
  $(`address-${door}`).textContent = shown.url ? shown.url.replace(/^http:\/\//, '') : t('noPage');
  $(`view-${door}`).replaceChildren(...content(shown));
  const [label, go] = step(shown);
  $(`go-${door}`).textContent = label;
  $(`go-${door}`).onclick = go;
  $(`go-${door}`).classList.toggle('primary', shown.shows !== 'page' && shown.shows !== 'refusal');
  $(`leave-${door}`).textContent = t('logout');
  $(`leave-${door}`).hidden = !shown.has_cookie || shown.shows !== 'page';
  const own = $(`own-${door}`);
  if (own) {
    own.textContent = t('ownBrowser');
    own.href = `${state.gateway}/v1.0/pub/web/login?return=${state.service ? '/' : '/api/orders'}&door=${door}`;
  }
}

function showPerson() {
  const list = theirs().sort((a, b) => (a.login < b.login ? -1 : 1));
  $('person-name').textContent = t('isPerson', { user: current().user, unionid: person() });
  $('person-doors').replaceChildren(...list.map((session) => h('li', { 'data-door': session.door },
    h('strong', {}, t(`door.${session.door}`)), h('span', { class: 'muted small' },
      [['miniprogram', 'webview', 'scan'].includes(session.door) && appName(session.app), session.openid, clock(session.login)].filter(Boolean).join(' · ')))));
  $('person-none').hidden = Boolean(list.length);
  $('end-person').disabled = !list.length;
}

// translate shows everything in the current language.
export function translate() {
  if (!state) return;
  for (const door of doors) showWindow(door);
  showPerson();
}

// show shows the browsers of the user who has the phone.
export function show(next) {
  state = next;
  translate();
}

// showTables shows where the person is logged in.
export function showTables(tables) {
  sessions = tables.sessions;
  translate();
}

// start makes the windows.
export function start() {
  $('windows').replaceChildren(...doors.map((door) => h('section', { class: 'window', 'aria-labelledby': `name-${door}`, id: `window-${door}` },
    h('div', { class: 'bar' }, h('span', { class: 'dots', 'aria-hidden': 'true' }, h('i'), h('i'), h('i')),
      h('h3', { id: `name-${door}` }), h('span', { class: 'pill', id: `pill-${door}`, role: 'status' })),
    h('code', { class: 'address', id: `address-${door}` }),
    h('div', { class: 'view', id: `view-${door}` }),
    h('div', { class: 'go' },
      h('button', { type: 'button', id: `go-${door}` }),
      h('button', { type: 'button', id: `leave-${door}`, hidden: '', onclick: (event) => run('leave', door, event.currentTarget) }),
      door !== 'webview' && h('a', { id: `own-${door}`, class: 'small', target: '_blank', rel: 'noopener' })))));
  $('end-person').addEventListener('click', async () => {
    if (await operate('end-person', current())) $('h-browsers').focus(); // the button is disabled now
  });
}
