// What WeChat pushes to the server of an app: where to, what, and what came of it.
import { byID, element, show, showList } from './call.js'

const option = (value) => element('option', { value, textContent: value })
let targets = []

// listPushes fills the choices.
export function listPushes(about, apps) {
  byID('push-types').replaceChildren(...about.push_types.map(option))
  byID('push-app').replaceChildren(...apps.filter((app) => app.platform === 'wechat').map((app) => option(app.appid)))
}

// fill shows the configuration of the chosen app.
function fill() {
  const form = byID('target')
  const target = targets.find(({ appid }) => appid === form.appid.value) ?? { url: '', token: '', encoding_aes_key: '', mode: 'secure', format: 'json' }
  for (const name of ['url', 'token', 'encoding_aes_key', 'mode', 'format']) form[name].value = target[name]
}

// showPushes shows what was pushed, newest first, and new configurations.
export function showPushes(pushes, configured) {
  if (JSON.stringify(configured) !== JSON.stringify(targets)) {
    targets = configured
    fill()
  }
  const open = new Set([...byID('pushed').querySelectorAll('[open]')].map((details) => details.dataset.id))
  showList(byID('pushed'), pushes.toReversed(), (push) => {
    const failed = push.outcome !== 'success' && push.outcome !== 'reply'
    const details = element('details', { open: open.has(String(push.id)) },
      element('summary', {},
        element('time', { dateTime: push.time, textContent: push.time.slice(11, 19) }),
        element('span', { className: 'mono path', textContent: `${push.type} ${push.openid}` }),
        element('span', { className: failed ? 'mono bad' : 'mono', textContent: `${push.outcome} (${push.attempts.length})` })),
      element('pre', { textContent: push.message }),
      element('pre', { textContent: push.reply || push.problem || push.attempts.map((attempt) => attempt.problem || attempt.status).join('\n') }))
    details.dataset.id = push.id
    return element('li', {}, details)
  })
  byID('no-pushes').hidden = pushes.length > 0
}

// membersOf returns the fields of a form that are not empty.
const membersOf = (form) => Object.fromEntries([...new FormData(form)].filter(([, value]) => value !== ''))

export function startPushes() {
  byID('target').appid.addEventListener('change', fill)
  byID('target').addEventListener('submit', (event) => {
    event.preventDefault()
    show(event.target.appid.value, 'save', 'POST', '/push-targets', membersOf(event.target))
  })
  byID('push').addEventListener('submit', (event) => {
    event.preventDefault()
    const members = membersOf(event.target)
    show(members.user ?? '', 'push', 'POST', '/push', { appid: byID('target').appid.value, ...members })
  })
}
