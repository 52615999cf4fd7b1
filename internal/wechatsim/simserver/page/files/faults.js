// The faults and the clock.
import { byID, element, setText, show, showList } from './call.js'
import { text } from './text.js'

const option = (value) => element('option', { value, textContent: value })

// listFaults fills the choices of a fault.
export function listFaults(about) {
  const every = element('option', { value: '*', textContent: text('every') })
  every.dataset.text = 'every'
  byID('paths').replaceChildren(every, ...about.paths.map(option))
  byID('kinds').replaceChildren(...about.fault_kinds.map(option))
}

// showFaults shows what is armed.
export function showFaults(faults) {
  showList(byID('armed'), faults, (fault) => {
    const details = [fault.kind, fault.path, fault.errcode, fault.delay].filter((part) => part !== undefined)
    return element('li', { className: 'mono', textContent: `${details.join(' ')} (${fault.times ? `${text('left')} ${fault.times}` : text('forever')})` })
  })
  byID('no-faults').hidden = faults.length > 0
}

// showClock shows the simulation's time.
export function showClock(now) {
  setText(byID('now'), now.replace(/\.\d+/, ''))
  byID('now').dateTime = now
}

function arm(event) {
  event.preventDefault()
  const form = new FormData(event.target)
  const fault = { path: form.get('path'), kind: form.get('kind') }
  if (form.get('errcode')) fault.errcode = Number(form.get('errcode'))
  if (Number(form.get('times')) > 0) fault.times = Number(form.get('times'))
  if (form.get('delay')) fault.delay = form.get('delay')
  if (form.get('after')) fault.after = true
  show('', 'arm', 'POST', '/faults', fault)
}

export function startFaults() {
  const form = byID('fault')
  form.addEventListener('submit', arm)
  form.kind.addEventListener('change', () => { form.errcode.required = form.kind.value === 'errcode' })
  byID('clear-faults').addEventListener('click', () => show('', 'clearFaults', 'DELETE', '/faults'))
  byID('expire').addEventListener('click', () => show('', 'expire', 'POST', '/expire-tokens', {}))
  for (const button of byID('advance').querySelectorAll('[value]')) {
    if (button.value) button.addEventListener('click', () => show(`+${button.value}`, 'clock', 'POST', '/clock', { advance: button.value }))
  }
}
