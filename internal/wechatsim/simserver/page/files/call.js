// Calls of the management side, and the curl lines that do the same.
import { text } from './text.js'

export const byID = (id) => document.getElementById(id)

// element makes an element with properties and children. Texts are never read as HTML: they
// come from requests that any client of the API may have sent.
export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties)
  made.append(...children)
  return made
}

// named makes an element whose text follows the language of the page.
export function named(tag, name, properties = {}) {
  const made = element(tag, { textContent: text(name), ...properties })
  made.dataset.text = name
  return made
}

// quote makes a word of a shell of any text.
const quote = (word) => `'${String(word).replaceAll("'", "'\\''")}'`

// curl returns the line that makes a request.
export function curl(method, url, body) {
  const parts = ['curl -sS']
  if (method !== (body === undefined ? 'GET' : 'POST')) parts.push('-X', quote(method))
  parts.push(quote(url))
  if (body !== undefined) parts.push('--data-raw', quote(body))
  return parts.join(' ')
}

// setText changes a text only if it is another: the user may be selecting it, and screen readers
// repeat an alert that is set again.
export function setText(shown, words) {
  if (shown.textContent !== words) shown.textContent = words
}

// showList shows a list of what the simulator knows, if that changed: what is selected or has the
// focus stays so. make makes the item of a value.
export function showList(list, values, make) {
  const version = JSON.stringify([document.documentElement.lang, values])
  if (list.dataset.version === version) return
  list.dataset.version = version
  const focused = list.contains(document.activeElement) && document.activeElement.parentElement.dataset.id
  list.replaceChildren(...values.map(make))
  if (focused) list.querySelector(`[data-id="${focused}"] summary`)?.focus()
}

// ask makes a call and returns its text. It throws the refusal, or a TypeError without a response.
export async function ask(method, path, members) {
  const body = members === undefined ? undefined : JSON.stringify(members)
  const response = await fetch(path, { method, body, cache: 'no-store' })
  const said = await response.text()
  if (!response.ok) throw new Error(said.trim())
  return said
}

export const askJSON = async (path) => JSON.parse(await ask('GET', path))

// show makes a call because of a button, and shows its response and its curl line. about is
// whom or what the button is about; name is the text of the button.
export async function show(about, name, method, path, members) {
  const line = curl(method, location.origin + path, members === undefined ? undefined : JSON.stringify(members))
  let said = ''
  let outcome = 'done'
  try {
    said = await ask(method, path, members)
    if (/"problem":"/.test(said)) outcome = 'problem'
  } catch (error) {
    outcome = 'failed'
    said = error instanceof TypeError ? text('lost') : error.message
  }
  byID('last-name').replaceChildren(about, ' ', named('b', name), ': ', named('span', outcome, { className: outcome === 'done' ? '' : 'bad' }))
  delete byID('last-name').dataset.text
  byID('last-result').textContent = said
  byID('last-result').hidden = said === ''
  byID('last-curl').replaceChildren(copyable(line))
  byID('last-curl').hidden = false
  document.dispatchEvent(new Event('changed'))
}

// copyable shows a curl line with a button that copies it.
export function copyable(line) {
  const button = named('button', 'copy', { type: 'button' })
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(line)
      button.textContent = text('copied')
    } catch { // the browser does not allow it
      getSelection().selectAllChildren(shown)
    }
  })
  const shown = element('pre', { textContent: line, tabIndex: 0 })
  shown.setAttribute('role', 'group')
  shown.setAttribute('aria-label', text('same'))
  return element('div', { className: 'copy' }, shown, button)
}
