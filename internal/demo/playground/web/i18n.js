// Texts and preferences: language and theme, which the browser remembers.

import en from './en.js';
import zh from './zh.js';

const languages = { en, zh };
const listeners = [];

// stored reads and writes a preference. Without storage the page forgets it.
export function stored(key, value) {
  try {
    if (value === undefined) return localStorage.getItem(key);
    localStorage.setItem(key, value);
  } catch { /* storage is off */ }
  return undefined;
}

let language = stored('language');
if (!languages[language]) {
  const first = (navigator.languages ?? [navigator.language]).find((name) => /^(en|zh)\b/i.test(name));
  language = /^zh/i.test(first ?? '') ? 'zh' : 'en';
}

// t returns a text, with {names} replaced.
export function t(key, values = {}) {
  const text = languages[language][key] ?? en[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? '');
}

// known says whether there is a text.
export const known = (key) => key in en;

// problem is why an action was not carried out.
export const problem = (error) => (known(`error.${error}`) ? t(`error.${error}`) : error);

// onLanguage calls a function when the language changes.
export const onLanguage = (listener) => listeners.push(listener);

function applyLanguage() {
  document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en';
  document.title = `wxgate ${t('playground')}`;
  for (const element of document.querySelectorAll('[data-t]')) element.textContent = t(element.dataset.t);
  for (const element of document.querySelectorAll('[data-t-label]')) element.setAttribute('aria-label', t(element.dataset.tLabel));
  const other = document.getElementById('language');
  other.textContent = t('otherLanguage');
  other.lang = language === 'zh' ? 'en' : 'zh-CN';
  for (const listener of listeners) listener();
}

function applyTheme() {
  const theme = stored('theme');
  if (theme) document.documentElement.dataset.theme = theme;
  document.getElementById('theme').setAttribute('aria-pressed', String(isDark()));
}

function isDark() {
  const theme = document.documentElement.dataset.theme;
  return theme ? theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
}

// startPreferences shows the page in its language and theme, and connects the two buttons.
export function startPreferences() {
  document.getElementById('language').addEventListener('click', () => {
    language = language === 'zh' ? 'en' : 'zh';
    stored('language', language);
    applyLanguage();
  });
  document.getElementById('theme').addEventListener('click', () => {
    document.documentElement.dataset.theme = isDark() ? 'light' : 'dark';
    stored('theme', document.documentElement.dataset.theme);
    applyTheme();
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', applyTheme);
  applyTheme();
  applyLanguage();
}
