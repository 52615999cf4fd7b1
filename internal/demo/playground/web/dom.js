// Small helpers over the DOM. Text is never parsed as HTML: what a client sent is shown.

export const $ = (id) => document.getElementById(id);

const svgNames = new Set(['svg', 'g', 'rect', 'circle', 'line', 'path', 'text']);

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

// kind says how a status is coloured.
export function kind(status) {
  if (!status || status >= 500) return 'bad';
  if (status >= 400) return 'warn';
  return 'good';
}

// verdicts are how the verdicts on attacks are coloured.
export const verdicts = { blocked: 'good', SUCCEEDED: 'bad', inconclusive: 'warn', 'not applicable': '' };

// clock is a time of day.
export const clock = (at) => new Date(at).toLocaleTimeString(document.documentElement.lang, { hour12: false });

// pretty indents JSON, and leaves everything else as it is.
export function pretty(text) {
  try {
    return JSON.stringify(typeof text === 'string' ? JSON.parse(text) : text, null, 2);
  } catch {
    return text;
  }
}
