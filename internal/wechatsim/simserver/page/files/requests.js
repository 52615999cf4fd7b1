// The requests that the API received, newest first.
import { byID, copyable, curl, element, show } from './call.js'
import { text } from './text.js'

const shown = new Map() // by the number of the request
let api = ''

// outcome says how a request ended.
function outcome(request) {
  const parts = []
  if (request.answer) parts.push(request.answer)
  if (request.errcode) parts.push(request.errcode)
  if (request.fault) parts.push(`${text('fault')} ${request.fault}`)
  return parts.join(' ') || text('noResponse')
}

function urlOf(request) {
  const query = new URLSearchParams(Object.entries(request.query).flatMap(([name, values]) => values.map((value) => [name, value])))
  const path = request.path.split('/').map(encodeURIComponent).join('/')
  return api + path + (query.size ? `?${query}` : '')
}

function rowOf(request) {
  const end = element('span', { className: 'mono' })
  const line = curl(request.method, urlOf(request), request.body)
  const row = element('li', {}, element('details', {},
    element('summary', {},
      element('time', { dateTime: request.time, textContent: request.time.slice(11, 19) }),
      element('span', { className: 'mono path', textContent: `${request.method} ${request.path}` }),
      end),
    copyable(line)))
  return { row, end }
}

function update({ end }, request) {
  end.textContent = outcome(request)
  end.classList.toggle('bad', request.answer !== 'ok' || request.fault !== undefined)
}

// showRequests shows the newest requests. Rows that are there stay, opened or closed.
export function showRequests(requests, url) {
  api = url
  const ids = new Set(requests.map((request) => request.id + request.time))
  for (const [id, { row }] of shown) {
    if (!ids.has(id)) {
      row.remove()
      shown.delete(id)
    }
  }
  for (const request of requests) {
    const id = request.id + request.time
    if (!shown.has(id)) {
      shown.set(id, rowOf(request))
      byID('requests').prepend(shown.get(id).row)
    }
    update(shown.get(id), request)
  }
  byID('no-requests').hidden = requests.length > 0
}

export function startRequests() {
  byID('pause').addEventListener('click', () => byID('pause').setAttribute('aria-pressed', String(!paused())))
  byID('clear-requests').addEventListener('click', () => show('', 'clearRequests', 'DELETE', '/requests'))
}

export const paused = () => byID('pause').getAttribute('aria-pressed') === 'true'
