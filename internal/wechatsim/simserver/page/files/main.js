// The page of the simulator's controls. Everything it does is a call that curl can make.
import { askJSON, byID, element, setText } from './call.js'
import { showCodes } from './codes.js'
import { listFaults, showClock, showFaults, startFaults } from './faults.js'
import { listPushes, showPushes, startPushes } from './pushes.js'
import { paused, showRequests, startRequests } from './requests.js'
import { otherLanguage, remember, remembered, switchLanguage, text, translate } from './text.js'
import { listApps, showUsers, startUsers } from './users.js'

const interval = 1000 // ms between two looks at the simulator
const newest = 100 // requests that are shown
let about

function showApps(apps) {
  byID('api').textContent = about.api
  byID('apps').replaceChildren(...apps.map((app) => {
    const cells = [app.appid, app.secret, app.api].map((value) => element('td', { className: 'mono', textContent: value }))
    return element('tr', {}, element('th', { scope: 'row', textContent: `${app.platform} ${app.kind ?? ''}` }), ...cells)
  }))
}

// refresh shows what the simulator knows now.
async function refresh() {
  try {
    if (!about) await start()
    const [users, faults, clock] = await Promise.all([askJSON('/users'), askJSON('/faults'), askJSON('/clock')])
    showUsers(users)
    showFaults(faults)
    showClock(clock.now)
    showCodes(await askJSON('/wxacodes'))
    showPushes(await askJSON('/pushes'), await askJSON('/push-targets'))
    if (!paused()) showRequests(await askJSON(`/requests?limit=${newest}`), about.api)
    byID('lost').hidden = true
  } catch (error) {
    if (error instanceof TypeError) about = undefined // the next simulator may have other apps
    setText(byID('lost'), error instanceof TypeError ? text('lost') : error.message)
    byID('lost').hidden = false
  }
}

async function start() {
  const known = await askJSON('/about')
  const apps = await askJSON('/apps')
  about = known
  showApps(apps)
  listApps(apps)
  listFaults(about)
  listPushes(about, apps)
}

async function poll() {
  if (!document.hidden) await refresh()
  setTimeout(poll, interval)
}

// setTheme shows the page light or dark, and offers the other.
function setTheme(theme) {
  document.documentElement.dataset.theme = theme
  byID('theme').dataset.text = theme === 'dark' ? 'light' : 'dark'
  byID('theme').textContent = text(byID('theme').dataset.text)
}

function offerLanguage() {
  [byID('language').lang, byID('language').textContent] = otherLanguage()
}

const dark = matchMedia('(prefers-color-scheme: dark)')
const followSystem = () => setTheme(remembered('theme') ?? (dark.matches ? 'dark' : 'light'))
dark.addEventListener('change', followSystem)
followSystem()
translate()
offerLanguage()
byID('theme').addEventListener('click', () => {
  const theme = document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark'
  remember('theme', theme)
  setTheme(theme)
})
byID('language').addEventListener('click', () => {
  switchLanguage()
  offerLanguage()
  refresh()
})
document.addEventListener('changed', refresh)
startUsers(refresh)
startFaults()
startRequests()
startPushes()
poll()
