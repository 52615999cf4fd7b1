// Small helpers over the DOM. Text is never parsed as HTML: what a client sent is shown.

export const $ = (id) => document.getElementById(id);

const svgNames = new Set(['svg', 'rect', 'circle', 'line', 'text', 'title']);

// h makes an element. Attributes that are false or undefined are left out; on… are listeners.
export function h(name, attributes = {}, ...children) {
  const element = svgNames.has(name)
    ? document.createElementNS('http://www.w3.org/2000/svg', name)
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === false || value === undefined) continue;
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== undefined && child !== false));
  return element;
}

// kind says how a response is colored. WeChat refuses with status 200 and a code.
export function kind(status, code) {
  if (!status || status >= 500) return 'bad';
  if (status >= 400 || code) return 'warn';
  return 'good';
}

// verdicts are how the verdicts on attacks are colored.
export const verdicts = { blocked: 'good', SUCCEEDED: 'bad', inconclusive: 'warn', 'not applicable': '' };

// clock is a time of day.
export const clock = (at) => new Date(at).toLocaleTimeString(document.documentElement.lang, { hourCycle: 'h23' });

// duration is a time in milliseconds, as text.
export const duration = (ms) => (ms < 1000 ? `${ms.toFixed(1)} ms` : `${(ms / 1000).toFixed(1)} s`);

// paced returns a function that calls another soon, however often it is called until then.
export function paced(f, ms) {
  let waiting;
  return () => {
    waiting ??= setTimeout(() => {
      waiting = undefined;
      f();
    }, ms);
  };
}

// setText changes a text only if it is another: screen readers repeat a status that is set again.
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// withArrows lets the arrow keys, Home and End move between the buttons of a list. The Tab key
// stops at one of them only: at the last that had the focus or was chosen.
export function withArrows(list) {
  list.addEventListener('keydown', (event) => {
    const buttons = [...list.querySelectorAll('button')];
    const at = buttons.indexOf(event.target);
    const next = buttons[{ ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 }[event.key]];
    if (at < 0 || !next) return;
    event.preventDefault();
    next.focus();
  });
  list.addEventListener('focusin', (event) => tabStop(list, event.target));
}

// tabStop has the Tab key stop at a button of a list.
export function tabStop(list, button) {
  list.querySelector('button[tabindex="0"]')?.setAttribute('tabindex', '-1');
  button.setAttribute('tabindex', '0');
}

// pretty indents JSON, and leaves everything else as it is.
export function pretty(text) {
  try {
    return JSON.stringify(typeof text === 'string' ? JSON.parse(text) : text, null, 2);
  } catch {
    return text;
  }
}
