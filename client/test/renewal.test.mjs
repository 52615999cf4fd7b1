import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import { ask } from './http.mjs'
import { atOnce, newPhone, problem, pub, setClock, skipPauses } from './phone.mjs'
import { retireKeys, simulator, startGateway } from './servers.mjs'

const gateway = await startGateway({ after })
const short = await startGateway({ after }, { token: '5s' })

/** Waits until the gateway says of a phone's access token that it has expired. */
async function expire(phone) {
  await until(async () => await codeOf(short, pub('session'), phone) === 'token_expired')
}

/** What the gateway says of a phone's access token. */
async function codeOf({ proxy }, path, phone) {
  const { text } = await ask('GET', proxy.url + path, undefined, { Authorization: 'Bearer ' + stored(phone.storage).tokens.access })
  return JSON.parse(text).code
}

async function until(happened) {
  while (!(await happened())) await sleep(20)
}

/** What a phone has in its storage. */
function stored(storage) {
  assert.equal(storage.size, 1)
  return JSON.parse(JSON.parse([...storage.values()][0]))
}

const sessionOf = async (phone) => (await phone.gate.session()).session

test('50 requests whose token is refused make one refresh, and each is repeated once', async () => {
  const phone = newPhone(gateway)
  const session = await sessionOf(phone)
  await retireKeys(gateway)
  gateway.proxy.reset()
  gateway.service.seen.length = 0
  const responses = await atOnce(50, phone.orders)
  assert.ok(responses.every(({ statusCode }) => statusCode === 200))
  assert.equal(gateway.proxy.count(pub('refresh')), 1)
  assert.equal(gateway.proxy.count('/orders'), 50 + gateway.proxy.statuses[401])
  assert.equal(gateway.service.seen.length, 50)
  assert.equal(phone.wx.codes, 1)
  assert.equal(phone.count('refresh'), 1)
  assert.equal(await sessionOf(phone), session)
})

test('50 requests with an expired token make one refresh, although the clock of the phone stopped', async (t) => {
  const start = Date.now() - 86400_000
  setClock(t, () => start)
  const phone = newPhone(short)
  await phone.orders()
  await expire(phone)
  short.proxy.reset()
  const responses = await atOnce(50, phone.orders)
  assert.ok(responses.every(({ statusCode }) => statusCode === 200))
  assert.equal(short.proxy.count(pub('refresh')), 1)
  assert.equal(phone.wx.codes, 1)
})

test('the client refreshes shortly before the token expires, and no request is refused', async (t) => {
  let ahead = 0
  setClock(t, (now) => now + ahead)
  const phone = newPhone(gateway)
  await phone.orders()
  ahead = 3600_000 - 31_000
  await phone.orders()
  assert.equal(phone.count('refresh'), 0)
  ahead = 3600_000 - 29_000
  gateway.proxy.reset()
  await atOnce(50, phone.orders)
  assert.equal(gateway.proxy.count(pub('refresh')), 1)
  assert.equal(gateway.proxy.statuses[401], undefined)
})

test('a clock that is wrong, or jumps, costs one refresh at most', async (t) => {
  let wrong = -20 * 365 * 86400_000
  setClock(t, (now) => now + wrong)
  const phone = newPhone(gateway)
  for (wrong of [wrong, 0, wrong, 10 * 365 * 86400_000]) {
    gateway.proxy.reset()
    await phone.orders()
    await atOnce(10, phone.orders)
    assert.ok(gateway.proxy.count(pub('refresh')) <= 1)
    assert.equal(gateway.proxy.statuses[401], undefined)
  }
  assert.equal(phone.wx.codes, 1)
})

test('if no refresh is possible shortly before the token expires, the token is still sent', async (t) => {
  const pauses = skipPauses(t)
  let ahead = 0
  setClock(t, (now) => now + ahead)
  const phone = newPhone(gateway)
  await phone.orders()
  ahead = 3600_000 - 10_000
  gateway.proxy.next(pub('refresh'), problem(503, 'store_unavailable', { 'retry-after': '1' }), 3)
  assert.equal((await phone.orders()).statusCode, 200)
  assert.deepEqual(pauses, [1, 2])
  assert.equal(phone.count('refresh'), 0)
})

test('after a lost response, the same refresh token is sent again, and the session lives', async (t) => {
  const pauses = skipPauses(t)
  const phone = newPhone(gateway)
  const session = await sessionOf(phone)
  await retireKeys(gateway)
  gateway.proxy.next(pub('refresh'), 'no response', 2)
  await atOnce(10, phone.orders)
  assert.deepEqual(pauses, [1, 2])
  assert.equal(phone.wx.codes, 1)
  assert.equal(await sessionOf(phone), session)
})

test('if every response is lost, the tokens are kept for the next request', async (t) => {
  skipPauses(t)
  const phone = newPhone(gateway)
  const session = await sessionOf(phone)
  await retireKeys(gateway)
  gateway.proxy.next(pub('refresh'), 'no response', 3)
  const outcomes = await Promise.allSettled([phone.orders(), phone.orders()])
  for (const { reason } of outcomes) assert.match(reason.errMsg, /^request:fail /)
  assert.equal((await phone.orders()).statusCode, 200)
  assert.equal(phone.wx.codes, 1)
  assert.equal(await sessionOf(phone), session)
})

test('a mini program that is sent to the background while it refreshes goes on afterwards', async (t) => {
  skipPauses(t)
  const phone = newPhone(gateway)
  const session = await sessionOf(phone)
  await retireKeys(gateway)
  const post = phone.wx.request
  phone.wx.request = (options) => {
    const task = post(options)
    if (options.url.endsWith('/refresh')) {
      phone.wx.request = post
      setImmediate(() => setImmediate(() => phone.wx.interrupt()))
    }
    return task
  }
  assert.equal((await phone.orders()).statusCode, 200)
  assert.equal(await sessionOf(phone), session)
})

test('a mini program that is ended between a refresh and the storage keeps its session', async () => {
  const phone = newPhone(gateway)
  const session = await sessionOf(phone)
  const before = new Map(phone.storage)
  await retireKeys(gateway)
  await phone.orders()
  assert.notDeepEqual(phone.storage, before)
  const restarted = phone.restart(before)
  assert.equal(await sessionOf(restarted), session)
  assert.equal(restarted.wx.codes, 0)
})

test('a refresh token that an attacker used ends the session, and the user logs in again', async () => {
  const phone = newPhone(gateway)
  const session = await sessionOf(phone)
  const steal = async (token) => JSON.parse((await ask('POST', gateway.proxy.url + pub('refresh'), JSON.stringify({ refresh_token: token }))).text)
  const first = await steal(stored(phone.storage).tokens.refresh)
  await steal(first.refresh_token) // the phone's is now older than the previous one
  await retireKeys(gateway)
  gateway.proxy.reset()
  const responses = await atOnce(20, phone.orders)
  assert.ok(responses.every(({ statusCode }) => statusCode === 200))
  assert.equal(gateway.proxy.count(pub('refresh')), 1)
  assert.equal(gateway.proxy.count(pub('openId')), 1)
  assert.notEqual(await sessionOf(phone), session)
})

test('after a logout by an operator, 50 requests make one login and no refresh', async () => {
  const phone = newPhone(gateway)
  const { openId } = await phone.gate.login()
  await gateway.command('user', 'logout', '--app', process.env.WX_APPID, '--openid', openId)
  gateway.proxy.reset()
  const responses = await atOnce(50, phone.orders)
  assert.ok(responses.every(({ statusCode, data }) => statusCode === 200 && data.openid === openId))
  assert.equal(gateway.proxy.count(pub('openId')), 1)
  assert.equal(gateway.proxy.count(pub('refresh')), 0)
})

test('a restart of the gateway ends nothing', async () => {
  const phone = newPhone(gateway)
  const session = await sessionOf(phone)
  await gateway.stop('SIGKILL')
  await assert.rejects(phone.orders(), /request:fail/)
  await gateway.start()
  assert.equal(await sessionOf(phone), session)
  assert.equal(phone.wx.codes, 1)
})

test('a refresh that meets a restart of the gateway is sent again', async () => {
  const phone = newPhone(gateway)
  const session = await sessionOf(phone)
  await retireKeys(gateway)
  gateway.proxy.next(pub('refresh'), 'no response')
  gateway.proxy.reset()
  const orders = phone.orders() // it pauses for a second after the lost response
  await until(() => gateway.proxy.count(pub('refresh')) === 1)
  await gateway.stop('SIGKILL')
  await gateway.start()
  await orders.catch(() => {}) // the pauses may be too short on a slow machine
  assert.equal(await sessionOf(phone), session)
})

test('tokens survive a restart of the mini program', async () => {
  const phone = newPhone(gateway)
  const session = await sessionOf(phone)
  const restarted = phone.restart()
  assert.equal(await sessionOf(restarted), session)
  assert.equal(restarted.wx.codes, 0)
})

test('a full storage stops nothing, is reported, and leaves no old token behind', async () => {
  const phone = newPhone(gateway)
  await phone.orders()
  const set = phone.wx.setStorageSync
  for (let i = 0; i < 10; i++) phone.storage.set('photo' + i, 'x'.repeat((1 << 20) - 300))
  await retireKeys(gateway)
  phone.wx.setStorageSync = (key, value) => set(key, value + ' '.repeat(4000))
  assert.equal((await phone.orders()).statusCode, 200)
  assert.match(phone.events.find(([name]) => name === 'error')[1].message, /exceed storage/)
  assert.equal([...phone.storage.keys()].filter((key) => key.startsWith('wxgate')).length, 0)
  assert.equal((await phone.orders()).statusCode, 200)
  assert.equal(phone.wx.codes, 1)
  const restarted = phone.restart()
  assert.equal((await restarted.orders()).statusCode, 200)
  assert.equal(restarted.wx.codes, 1)
})

test('a storage that fails, or has something else in it, costs a login', async () => {
  const phone = newPhone(gateway)
  phone.wx.getStorageSync = () => 'not JSON'
  assert.equal((await phone.orders()).statusCode, 200)
  assert.ok(phone.count('error') >= 1)
  assert.equal(phone.wx.codes, 1)
  const failing = newPhone(gateway, { storage: undefined })
  failing.wx.setStorageSync = failing.wx.getStorageSync = failing.wx.removeStorageSync = () => { throw new Error('broken') }
  assert.equal((await failing.orders()).statusCode, 200)
  assert.equal((await failing.orders()).statusCode, 200)
  assert.equal(failing.wx.codes, 1)
})

test('two clients of one mini program share their tokens', async () => {
  const phone = newPhone(gateway)
  const session = await sessionOf(phone)
  const other = phone.restart()
  await other.orders()
  await retireKeys(gateway)
  gateway.proxy.reset()
  await phone.orders()
  assert.equal(await sessionOf(other), session)
  assert.equal(gateway.proxy.count(pub('refresh')), 1)
  await phone.gate.logout()
  await assert.rejects(other.orders(), { code: 'logged_out' })
})

test('two clients of one mini program see each other\'s logins and logouts', async () => {
  const phone = newPhone(gateway)
  await phone.orders()
  const other = phone.restart()
  const phoneNumber = { code: await simulator('GET', '/phone-code?user=' + phone.user) }
  await other.gate.phone(phoneNumber) // now the other's state is newer
  await phone.gate.logout()
  await assert.rejects(other.orders(), { code: 'logged_out' })
  await other.gate.login()
  assert.equal((await phone.orders()).statusCode, 200)
  assert.deepEqual([phone.wx.codes, other.wx.codes], [1, 1])
})

test('two clients that start at once end with one session', async () => {
  const phone = newPhone(gateway)
  const other = phone.restart()
  await Promise.all([phone.orders(), other.orders()])
  assert.equal(await sessionOf(phone), await sessionOf(other))
})

test('a path that needs a recent login makes one login for ten requests', async () => {
  const phone = newPhone(gateway)
  await phone.orders()
  gateway.proxy.reset()
  gateway.proxy.next('/fresh', problem(401, 'login_too_old'), 10)
  const responses = await atOnce(10, () => phone.gate.request({ url: '/fresh' }))
  assert.ok(responses.every(({ statusCode }) => statusCode === 200))
  assert.equal(gateway.proxy.count(pub('openId')), 1)
  assert.equal(gateway.proxy.count(pub('refresh')), 0)
})

test('a request that needs a refresh and then a recent login gets both', async () => {
  const phone = newPhone(gateway)
  const fresh = () => phone.gate.request({ url: '/fresh' })
  assert.equal((await fresh()).statusCode, 200)
  await until(async () => await codeOf(gateway, '/fresh', phone) === 'login_too_old')
  await retireKeys(gateway)
  assert.equal((await fresh()).statusCode, 200)
  assert.equal(phone.count('refresh'), 1)
  assert.equal(phone.count('login'), 2)
})

test('a request that is refused again after a refresh rejects', async () => {
  const phone = newPhone(gateway)
  await phone.orders()
  gateway.proxy.reset()
  gateway.proxy.next('/orders', problem(401, 'invalid_token'), 2)
  await assert.rejects(phone.orders(), { name: 'GateError', code: 'invalid_token', statusCode: 401 })
  assert.equal(gateway.proxy.count(pub('refresh')), 1)
  assert.equal(gateway.proxy.count('/orders'), 2)
})

test('while the store is down, requests wait and are repeated with the same tokens', async (t) => {
  const pauses = skipPauses(t)
  const phone = newPhone(gateway)
  await phone.orders()
  gateway.service.seen.length = 0
  gateway.proxy.next('/orders', problem(503, 'store_unavailable', { 'Retry-After': '3' }), 2)
  assert.equal((await phone.gate.request({ url: '/orders', method: 'POST', data: { pay: 1 } })).statusCode, 200)
  assert.deepEqual(pauses, [3, 3])
  assert.equal(gateway.service.seen.length, 1)
  gateway.proxy.next('/orders', problem(503, 'store_unavailable', { 'Retry-After': '1' }), 3)
  await assert.rejects(phone.orders(), { code: 'store_unavailable', statusCode: 503, retryAfter: 1 })
  assert.equal(phone.wx.codes, 1)
})
