// The users, a card each. Cards are kept and changed, so that the focus stays where it is.
import { byID, element, named, show } from './call.js'
import { text } from './text.js'

const cards = new Map()
let known = new Map() // the apps, by appid
let number = 0 // of the card that was made last

const query = (user) => new URLSearchParams({ appid: user.appid, openid: user.openid })
const label = (user) => user.user || user.openid

// button makes a control of a user, which is described by the user's name. call returns the
// method, the path and the members of the call.
function button(user, name, call) {
  const made = named('button', name, { type: 'button' })
  made.setAttribute('aria-describedby', `name-${number}`)
  made.addEventListener('click', () => show(label(user), name, ...call()))
  return made
}

// webCard is a user of an official account or a website, who has no phone number and no key there.
function webCard(user, kind) {
  const target = { appid: user.appid, openid: user.openid }
  const fields = { nickname: element('dd'), openid: element('dd'), unionid: element('dd') }
  for (const field of [fields.openid, fields.unionid]) field.className = 'mono'
  const buttons = [button(user, 'webCode', () => ['GET', `/web-code?${query(user)}`])]
  if (kind === 'official') buttons.push(button(user, 'snapshotCode', () => ['POST', '/web-codes', { ...target, snapshot: true }]))
  const card = element('li', {},
    element('h3', { id: `name-${number}`, textContent: label(user) }),
    element('dl', {},
      named('dt', 'nickname'), fields.nickname,
      element('dt', { textContent: 'openid' }), fields.openid,
      element('dt', { textContent: 'unionid' }), fields.unionid),
    element('div', { className: 'line' }, ...buttons))
  return { card, fields }
}

function cardOf(user) {
  const { platform, kind } = known.get(user.appid)
  if (kind) return webCard(user, kind)
  const target = { appid: user.appid, openid: user.openid }
  const fields = { openid: element('dd'), unionid: element('dd'), phone: element('dd'), key: element('dd'), rank: element('dd') }
  for (const field of Object.values(fields)) field.className = 'mono'
  const risk = button(user, 'risk', () => ['POST', '/high-risk', { ...target, high_risk: risk.getAttribute('aria-pressed') !== 'true' }])
  const rank = button(user, 'rank', () => ['POST', '/risk-rank', { ...target, risk_rank: (Number(rank.dataset.rank) + 1) % 5 }])
  const encrypted = button(user, 'encrypted', () => ['GET', `/encrypted-phone?${query(user)}`])
  const drop = button(user, 'drop', () => ['DELETE', `/session-key?${query(user)}`])
  const buttons = [button(user, 'loginCode', () => ['GET', `/code?${query(user)}`])]
  const onWeChat = platform === 'wechat'
  if (onWeChat) buttons.push(button(user, 'phoneCode', () => ['GET', `/phone-code?${query(user)}`]))
  buttons.push(encrypted, button(user, 'rotate', () => ['POST', '/session-key/rotate', target]), drop, risk)
  if (onWeChat) buttons.push(rank)
  const card = element('li', {},
    element('h3', { id: `name-${number}`, textContent: label(user) }),
    element('dl', {},
      element('dt', { textContent: 'openid' }), fields.openid,
      element('dt', { textContent: 'unionid' }), fields.unionid,
      named('dt', 'phone'), fields.phone,
      element('dt', { textContent: 'session_key' }), fields.key,
      named('dt', 'riskRank'), fields.rank),
    element('div', { className: 'line' }, ...buttons))
  return { card, fields, risk, rank, ofKey: [encrypted, drop] }
}

// update shows what changed. Without a session_key a phone can encrypt nothing.
function update({ card, fields, risk, rank, ofKey }, user, appid) {
  card.hidden = user.appid !== appid
  fields.openid.textContent = user.openid
  fields.unionid.textContent = user.unionid || '–'
  if (fields.nickname) {
    fields.nickname.textContent = user.nickname || '–'
    return
  }
  fields.phone.textContent = `+${user.country} ${user.phone}`
  fields.key.textContent = user.session_key || text('noKey')
  for (const button of ofKey) button.disabled = !user.session_key
  risk.setAttribute('aria-pressed', String(user.high_risk))
  fields.rank.textContent = rank.dataset.rank = user.risk_rank
}

// listApps fills the choice of apps.
export function listApps(apps) {
  known = new Map(apps.map((app) => [app.appid, app]))
  const chosen = byID('app').value
  byID('app').replaceChildren(...apps.map((app) => element('option', { value: app.appid, textContent: `${app.platform} ${app.kind ?? ''} ${app.appid}`, selected: app.appid === chosen })))
}

const keyOf = (user) => `${user.appid} ${user.openid}`

// showUsers shows the users of the chosen app. Another simulator may have other users.
export function showUsers(users) {
  const appid = byID('app').value
  const keys = new Set(users.map(keyOf))
  for (const [key, { card }] of cards) {
    if (!keys.has(key)) {
      card.remove()
      cards.delete(key)
    }
  }
  for (const user of users) {
    const key = keyOf(user)
    if (!cards.has(key)) {
      number += 1
      const made = cardOf(user)
      cards.set(key, made)
      byID('users').append(made.card)
    }
    update(cards.get(key), user, appid)
  }
  byID('no-users').hidden = users.some((user) => user.appid === appid)
}

export function startUsers(refresh) {
  byID('app').addEventListener('change', refresh)
  byID('new-login').addEventListener('click', () => {
    const members = new URLSearchParams({ appid: byID('app').value })
    const name = byID('new-user').value.trim()
    if (name) members.set('user', name)
    const web = known.get(byID('app').value).kind
    show(name || 'alice', web ? 'webCode' : 'loginCode', 'GET', `${web ? '/web-code' : '/code'}?${members}`)
  })
}
