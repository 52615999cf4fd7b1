// The page: it connects its parts to the events of the server.

import { listen, tables } from './api.js';
import { $, paced } from './dom.js';
import { startPreferences, onLanguage } from './i18n.js';
import * as phone from './phone.js';
import * as diagram from './diagram.js';
import * as inspector from './inspector.js';
import * as plots from './plots.js';
import * as operator from './operator.js';
import * as attacks from './attacks.js';
import * as browsers from './browsers.js';
import * as tour from './tour.js';

let state;

function showState() {
  if (!state) return;
  $('main').inert = false; // its buttons need the users and the mini programs
  $('gateway').textContent = state.gateway;
  $('hint').hidden = Boolean(state.service);
  $('own').hidden = !state.service;
  $('service').textContent = state.service ?? '';
  $('caddyfile').textContent = state.caddyfile;
  phone.show(state);
  browsers.show(state);
  operator.showFaults(state.faults);
  tour.show(state);
  showPlots();
}

// A script can cause hundreds of events a second, of which the page shows the newest.
const showStateSoon = paced(showState, 30);
const showPlots = paced(() => state && plots.show(state.samples), 300);
const showTables = paced(async () => {
  try {
    const read = await tables();
    operator.showTables(read);
    browsers.showTables(read);
  } catch { /* the event stream says that the server is down */ }
}, 80);

startPreferences();
browsers.start();
phone.start(showState);
diagram.start(inspector.show);
inspector.start();
operator.start();
attacks.start();
tour.start();
onLanguage(() => {
  showState();
  diagram.translate();
  inspector.translate();
  operator.translate();
  attacks.translate();
  tour.translate();
});

listen({
  opened() {
    $('offline').hidden = true;
    $('problem').hidden = true;
    diagram.empty();
    inspector.empty();
    attacks.list();
    showTables();
  },
  lost() {
    $('offline').hidden = false;
  },
  state(next) {
    const isFirst = !state;
    state = next;
    if (!isFirst) {
      showStateSoon();
      return;
    }
    showState();
    diagram.translate(); // the history came before the names of the mini programs
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
      tour.outcome(action);
      showTables();
    }
  },
  message: diagram.message,
});
setInterval(showPlots, 5000);
addEventListener('resize', showPlots);
