// The page: it connects its parts to the events of the server.

import { listen, tables } from './api.js';
import { $ } from './dom.js';
import { startPreferences, onLanguage } from './i18n.js';
import * as phone from './phone.js';
import * as diagram from './diagram.js';
import * as inspector from './inspector.js';
import * as plots from './plots.js';
import * as operator from './operator.js';
import * as attacks from './attacks.js';
import * as browsers from './browsers.js';

let state;
let waiting; // for the tables

function showState() {
  if (!state) return;
  $('gateway').textContent = state.gateway;
  $('hint').hidden = Boolean(state.service);
  $('own').hidden = !state.service;
  $('service').textContent = state.service ?? '';
  $('caddyfile').textContent = state.caddyfile;
  phone.show(state);
  browsers.show(state);
  plots.show(state.samples);
  operator.showFaults(state.faults);
}

// showTables reads the tables once what happens has happened.
function showTables() {
  clearTimeout(waiting);
  waiting = setTimeout(async () => {
    try {
      const read = await tables();
      operator.showTables(read);
      browsers.showTables(read);
    } catch { /* the event stream says that the server is away */ }
  }, 80);
}

startPreferences();
browsers.start();
phone.start(showState);
diagram.start(inspector.show);
inspector.start();
operator.start();
attacks.start();
onLanguage(() => {
  showState();
  diagram.translate();
  inspector.translate();
  operator.translate();
  attacks.translate();
});

listen({
  opened() {
    $('offline').hidden = true;
    diagram.empty();
    showTables();
  },
  lost() {
    $('offline').hidden = false;
  },
  state(next) {
    state = next;
    showState();
  },
  action(action) {
    if (action.name === 'clear') {
      diagram.empty();
      inspector.empty();
      return;
    }
    diagram.action(action);
    if (action.done) {
      phone.outcome(action);
      showTables();
    }
  },
  message: diagram.message,
});
setInterval(() => state && plots.show(state.samples), 5000);
addEventListener('resize', () => state && plots.show(state.samples));
