// The phone: buttons that act, and what the mini program knows.

import { act } from './api.js';
import { $, h, kind, setText } from './dom.js';
import { t, known, problem } from './i18n.js';

let state;
let user;
let app;
let scanned; // a code, whose number the user types next
let changed; // called when the user or the mini program is another
const kinds = ['websocket', 'events'];

export const appName = (id) => t(`app${(state?.apps ?? []).findIndex((known) => known.id === id) + 1}`);

// current is who has the phone, and the mini program that is open on it.
export const current = () => ({ user, app });

// titleOf names an action, as a heading.
export function titleOf(action) {
  const { args } = action;
  return t(`do.${action.name}${args.way ? `.${args.way}` : ''}${args.kind ? `.${args.kind}` : ''}${['fault', 'decide'].includes(action.name) ? (args.on ? '.on' : '.off') : ''}`, {
    ...args, app: args.app && appName(args.app), fault: args.fault && t(`fault.${args.fault}`), door: args.door && t(`door.${args.door}`),
  });
}

// explain is a sentence about a refusal, if there is one.
export const explain = (code) => (known(`code.${code}`) ? t(`code.${code}`) : '');

async function run(name, args, button) {
  button.ariaBusy = 'true';
  toast(t('busy'), '');
  const action = await act(name, { app, user, forge: $('forge').checked, ...args });
  if (!action.id) toast(problem(action.error), 'bad'); // else there is an event
  button.ariaBusy = null;
  return action;
}

function toast(text, style) {
  $('toast').textContent = text;
  $('toast').className = `toast ${style}`;
}

// outcome shows how an action of this phone ended. Another page may have another user's.
export function outcome({ args, error, status, code }) {
  if (args.app !== app || args.user !== user || (args.door && args.door !== 'webview')) return;
  if (error) return toast(problem(error), 'bad');
  if (!status) return toast('', '');
  const reason = [code, explain(code)].filter(Boolean).join(' · ');
  toast(`${status} ${reason || t(kind(status) === 'good' ? 'ok' : 'byUpstream')}`, kind(status));
}

// choose gives the phone to another user, or opens another mini program.
function choose(nextUser, nextApp) {
  [user, app] = [nextUser, nextApp];
  toast('', '');
  changed();
}

function radios(name, values, label, chosen, choose) {
  const box = $(name);
  if (box.childElementCount === values.length) {
    [...box.querySelectorAll('span')].forEach((span, i) => { span.textContent = label(values[i]); });
    return;
  }
  box.replaceChildren(...values.map((value) => h('label', {},
    h('input', { type: 'radio', name, value, checked: value === chosen && '', onchange: () => choose(value) }),
    h('span', {}, label(value)))));
}

// show shows the state.
export function show(next) {
  state = next;
  user ??= state.users[0];
  app ??= state.apps[0].id;
  radios('users', state.users, (name) => name, user, (value) => choose(value, app));
  radios('apps', state.apps.map((known) => known.id), appName, app, (value) => choose(user, value));
  const account = state.accounts.find((known) => known.app === app && known.user === user);
  const inside = Boolean(account?.logged_in);
  $('app-name').textContent = appName(app);
  $('avatar').textContent = user[0];
  $('avatar').className = inside ? 'avatar in' : 'avatar';
  $('person').textContent = user;
  $('person-note').textContent = inside ? [account.openid, account.phone].filter(Boolean).join(' · ') : t('loggedOut');
  $('logout').hidden = !inside;
  $('refresh').hidden = !inside;
  $('login').firstElementChild.textContent = t(inside ? 'loginAgain' : 'login');
  $('login').lastElementChild.hidden = inside;
  $('login').classList.toggle('primary', !inside);
  for (const kind of kinds) showStream(kind, state.streams.find((open) => open.kind === kind));
  const asked = account?.asked;
  $('asked').hidden = !asked;
  if (!asked) return;
  $('asker').textContent = t('asker', asked);
  if (scanned) {
    scanned = false;
    $('number').value = '';
    $('number').focus();
  }
}

// scanCode points the phone at the code that was shown last. The user then types its number.
export async function scanCode(button) {
  const action = await run('scan', {}, button);
  scanned = action.status === 200 && !action.error;
  show(state);
}

function showStream(kind, stream) {
  const open = Boolean(stream?.open);
  const own = stream?.user === user && stream.app === app;
  $(kind).setAttribute('aria-pressed', String(open));
  let note = t('closed');
  if (open) note = `${own ? '' : `${stream.user}: `}${t('messages', { n: stream.messages })}`;
  else if (own && stream.hung_up) note = t('closedByPhone');
  else if (own) note = t('closedByGateway');
  setText($(`${kind}-note`), note);
}

// start connects the buttons.
export function start(whenChanged) {
  changed = whenChanged;
  $('scan').addEventListener('click', () => scanCode($('scan')));
  $('refuse').addEventListener('click', () => run('decide', {}, $('refuse')));
  $('asked').addEventListener('submit', (event) => {
    event.preventDefault();
    run('decide', { on: true, number: $('number').value }, $('confirm'));
  });
  for (const button of document.querySelectorAll('[data-do]')) {
    const { do: name, way, path } = button.dataset;
    button.addEventListener('click', () => run(name, { way, path }, button));
  }
  $('any').addEventListener('submit', (event) => {
    event.preventDefault();
    run('call', { path: $('path').value }, $('call'));
  });
  for (const kind of kinds) {
    $(kind).addEventListener('click', () => {
      const open = $(kind).getAttribute('aria-pressed') === 'true';
      run(open ? 'hangup' : 'open', { kind }, $(kind));
    });
  }
}
