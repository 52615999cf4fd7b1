// The steps for a first visit: a line at the top says what to do next. They are those of
// docs/playground.md.

import { $ } from './dom.js';
import { stored, t } from './i18n.js';

// steps are how an action shows that a step is done.
const steps = [
  ({ name, status }) => name === 'login' && status === 200,
  ({ code, args }) => args.path === '/vip/orders' && code === 'phone_required',
  ({ status, args }) => args.path === '/vip/orders' && status === 200,
  ({ name, status, args }) => name === 'call' && args.forge && status === 200,
  ({ name, status }) => name === 'end-session' && status === 200,
  ({ name, status }) => name === 'login' && status >= 500,
  ({ name, status, args }) => status === 200 && (name === 'allow' || (name === 'decide' && args.on) || (name === 'visit' && args.door === 'webview')),
  ({ name, result }) => name === 'attack' && result,
];
const sections = { 5: 'h-sessions', 6: 'h-faults', 7: 'h-browsers', 8: 'h-attacks' }; // below the phone
const done = new Set();
let service; // of the user's, which may have none of the paths

// outcome notes what an action did.
export function outcome(action) {
  steps.forEach((does, i) => {
    if (!action.error && does(action)) done.add(i + 1);
  });
  translate();
}

// translate shows the next step.
export function translate() {
  const next = steps.findIndex((_, i) => !done.has(i + 1)) + 1; // 0 at the end
  $('tour').hidden = Boolean(service) || stored('tour') === 'off';
  $('tour-step').textContent = next ? t('tourStep', { n: next, all: steps.length }) : '';
  $('tour-text').textContent = t(`tour.${next}`);
  $('tour-link').hidden = !sections[next];
  $('tour-link').href = `#${sections[next]}`;
}

// show hides the steps in front of a service of the user's. A login may be older than the history.
export function show(state) {
  service = state.service;
  if (state.accounts.some((account) => account.logged_in)) done.add(1);
  translate();
}

// start connects the button that hides the steps for good.
export function start() {
  $('tour-end').addEventListener('click', () => {
    stored('tour', 'off');
    translate();
    $('h-phone').focus(); // the button is gone
  });
  translate();
}
