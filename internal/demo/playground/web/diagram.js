// The sequence diagram: a list of actions, each a list of arrows, which are buttons.

import { $, duration, h, kind, tabStop, verdicts, withArrows } from './dom.js';
import { known, t } from './i18n.js';
import { operate } from './operator.js';
import { titleOf } from './phone.js';

const lanes = ['phone', 'browser', 'gateway', 'wechat', 'upstream'];
const maxActions = 40;

let groups = new Map(); // action ID -> { action, item, heading, steps, messages }
let select = () => {};
let current; // the arrow whose details are shown
let following = true; // the newest arrow is kept in view: the user has not scrolled back
let scrolling = false; // it will be

// center is where the lane of a party is, in percent. The operator is left of the phone.
const center = (party) => (party === 'operator' ? 2 : 10 + 20 * lanes.indexOf(party));
export const name = (party) => (party === 'gateway' ? 'wxgate' : t(party));

// lineOf is what an arrow says. What is no request and no status follows the language.
export const lineOf = (m) => (known(`line.${m.line}`) ? t(`line.${m.line}`) : m.line);
const labelOf = (m) => (m.to === 'wechat' ? m.line.split('?')[0] : lineOf(m));

function groupOf(action) {
  let group = groups.get(action.id);
  if (!group) {
    const heading = h('h3');
    const steps = h('ol', { class: 'steps', hidden: '' });
    group = { heading, steps, item: h('li', { class: 'act' }, heading, steps), messages: [] };
    groups.set(action.id, group);
    $('diagram').append(group.item);
    $('flow-empty').hidden = true;
    if (groups.size > maxActions) {
      const [oldest, { item }] = groups.entries().next().value;
      groups.delete(oldest);
      item.remove();
    }
  }
  return group;
}

function showHeading(group) {
  const { action } = group;
  const parts = [h('span', {}, titleOf(action))];
  if (action.error) parts.push(h('span', { class: 'pill bad' }, t('failed')));
  else if (action.result) parts.push(h('span', { class: `pill ${verdicts[action.result.verdict]}` }, t(`verdict.${action.result.verdict}`)));
  else if (action.status) parts.push(h('span', { class: `pill ${kind(action.status)}` }, `${action.status} ${action.code ?? ''}`.trim()));
  if (action.ms) parts.push(h('span', { class: 'muted small' }, duration(action.ms)));
  group.heading.replaceChildren(...parts);
}

// action shows an action that begins or ends.
export function action(next) {
  if (!groups.has(next.id)) following = true;
  const group = groupOf(next);
  group.action = next;
  showHeading(group);
  if (next.done) {
    const telling = group.messages.findLast((m) => m.to === 'upstream')
      ?? group.messages.findLast((m) => m.reply && m.to !== 'gateway') ?? group.messages.at(-1);
    choose(group, telling);
  }
  follow();
}

// message shows an arrow.
export function message(m) {
  const group = groups.get(m.action);
  if (!group) return; // no action of the page's, or one that was cleared
  m.button = stepOf(group, m);
  const last = group.messages.at(-1);
  const late = m.reply && m.status && m.from !== 'gateway' && ['phone', 'browser'].includes(last?.to); // it was sent before
  group.messages.splice(late ? -1 : group.messages.length, 0, m);
  group.steps.hidden = false;
  group.steps.insertBefore(h('li', {}, m.button), late ? group.steps.lastChild : null);
  follow();
}

function stepOf(group, m) {
  const from = center(m.from);
  const to = center(m.to);
  const style = m.reply && m.line !== 'stream closed' ? kind(m.status === 101 ? 200 : m.status, m.code) : '';
  const button = h('button', {
    type: 'button',
    tabindex: '-1',
    class: `step ${m.reply ? 'reply' : ''} ${to > from ? 'right' : 'left'} ${style}`,
    onclick: () => choose(group, m),
  }, h('span', { class: 'hidden' }, t('arrow', { from: name(m.from), to: name(m.to) })), h('span', { class: 'at' }, h('span', { class: 'label' }, labelOf(m))), h('span', { class: 'arrow' }));
  button.style.setProperty('--from', `${Math.min(from, to)}%`);
  button.style.setProperty('--span', `${Math.abs(to - from)}%`);
  const changed = m.headers.filter((header) => header.mark && /^(x-wx-|authorization|cookie)/i.test(header.name));
  changed.sort((a, b) => (b.mark === 'removed') - (a.mark === 'removed'));
  if (m.to === 'upstream' && changed.length) button.append(h('span', { class: 'chips' }, ...changed.map(chip)));
  return button;
}

function chip(header) {
  const value = /^authorization/i.test(header.name) ? '' : `: ${header.value}`;
  return h('span', { class: `chip ${header.mark}`, 'data-mark': header.mark },
    h('span', { class: 'hidden' }, t(header.mark)), h('span', { 'aria-hidden': 'true' }, header.mark === 'removed' ? '−' : '+'),
    ' ', h('span', { class: 'line' }, `${header.name}${value}`));
}

function choose(group, m) {
  current?.removeAttribute('aria-current');
  current = m?.button;
  current?.setAttribute('aria-current', 'true');
  if (current) tabStop($('diagram'), current);
  select(group.action, m);
}

// follow keeps the newest arrow in view.
function follow() {
  if (scrolling || !following) return;
  scrolling = true;
  requestAnimationFrame(() => {
    scrolling = false;
    $('scroll').scrollTop = $('scroll').scrollHeight;
  });
}

// translate shows everything in the current language.
export function translate() {
  for (const group of groups.values()) {
    showHeading(group);
    for (const m of group.messages) {
      m.button.firstElementChild.textContent = t('arrow', { from: name(m.from), to: name(m.to) });
      m.button.querySelector('.label').textContent = labelOf(m);
      for (const mark of m.button.querySelectorAll('.chip')) mark.firstElementChild.textContent = t(mark.dataset.mark);
    }
  }
}

// empty removes all actions.
export function empty() {
  groups = new Map();
  $('diagram').replaceChildren();
  $('flow-empty').hidden = false;
}

// start connects the diagram to what shows details.
export function start(show) {
  select = show;
  withArrows($('diagram'));
  $('scroll').addEventListener('scroll', ({ currentTarget: box }) => {
    if (!scrolling) following = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
  });
  $('clear').addEventListener('click', () => operate('clear'));
}
