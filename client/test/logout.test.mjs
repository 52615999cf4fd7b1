import assert from 'node:assert/strict'
import { after, test } from 'node:test'

import { ask } from './http.mjs'
import { atOnce, holdResponse, newPhone, problem, pub, skipPauses } from './phone.mjs'
import { retireKeys, startGateway } from './servers.mjs'

const gateway = await startGateway({ after })

const loggedOut = { name: 'GateError', code: 'logged_out' }
const accessToken = (phone) => JSON.parse(JSON.parse([...phone.storage.values()][0])).tokens.access

async function codeOf(token) {
  const { status, text } = await ask('GET', gateway.proxy.url + pub('session'), undefined, { Authorization: 'Bearer ' + token })
  return status === 200 ? 'valid' : JSON.parse(text).code
}

test('a logout ends the session, and nothing logs in again until login is called', async () => {
  const phone = newPhone(gateway)
  await phone.orders()
  const token = accessToken(phone)
  await phone.gate.logout()
  assert.equal(await codeOf(token), 'session_revoked')
  assert.deepEqual(phone.events.at(-1), ['logout', { reason: 'logout' }])
  gateway.proxy.reset()
  await assert.rejects(phone.orders(), loggedOut)
  await assert.rejects(phone.gate.session(), loggedOut)
  await assert.rejects(phone.gate.phone({ code: 'x' }), loggedOut)
  await assert.rejects(phone.gate.uploadFile({ url: '/u', filePath: 'x', name: 'x' }), loggedOut)
  await assert.rejects(phone.gate.connectSocket({ url: '/s' }), loggedOut)
  await assert.rejects(phone.restart().orders(), loggedOut)
  assert.deepEqual(gateway.proxy.counts, {})
  await phone.gate.login()
  assert.equal((await phone.orders()).statusCode, 200)
  assert.equal(phone.wx.codes, 2)
})

test('a logout of all ends the sessions of the other phones', async () => {
  const phone = newPhone(gateway)
  const tablet = newPhone(gateway, { user: phone.user })
  await phone.orders()
  await tablet.orders()
  const token = accessToken(tablet)
  await phone.gate.logout({ all: true })
  assert.equal(await codeOf(token), 'session_revoked')
})

test('a logout with an access token that is refused refreshes first', async () => {
  const phone = newPhone(gateway)
  const { session } = await phone.gate.session()
  await retireKeys(gateway)
  gateway.proxy.reset()
  await phone.gate.logout()
  assert.equal(gateway.proxy.count(pub('refresh')), 1)
  assert.equal(gateway.proxy.count(pub('logout')), 2)
  assert.equal(phone.wx.codes, 1)
  assert.match(session, /./)
  await assert.rejects(phone.orders(), loggedOut)
})

test('a logout whose response is lost is repeated', async (t) => {
  skipPauses(t)
  const phone = newPhone(gateway)
  await phone.orders()
  const token = accessToken(phone)
  gateway.proxy.next(pub('logout'), 'no response')
  await phone.gate.logout() // the second response is session_revoked
  assert.equal(await codeOf(token), 'session_revoked')
})

test('a logout without a network rejects, and the user is still logged in', async (t) => {
  skipPauses(t)
  const phone = newPhone(gateway)
  await phone.orders()
  gateway.proxy.next(pub('logout'), 'no request', 3)
  await assert.rejects(phone.gate.logout(), /request:fail/)
  assert.equal((await phone.orders()).statusCode, 200)
  assert.equal(phone.wx.codes, 1)
})

test('a logout of all from a session that has ended ends the others all the same', async () => {
  const phone = newPhone(gateway)
  const tablet = newPhone(gateway, { user: phone.user })
  await phone.orders()
  await tablet.orders()
  const token = accessToken(tablet)
  await ask('POST', gateway.proxy.url + pub('logout'), '', { Authorization: 'Bearer ' + accessToken(phone) })
  await phone.gate.logout({ all: true })
  assert.equal(await codeOf(token), 'session_revoked')
  await assert.rejects(phone.orders(), loggedOut)
})

test('requests that meet a logout do not log in again', async () => {
  const phone = newPhone(gateway)
  await phone.orders()
  const before = Promise.allSettled(Array.from({ length: 20 }, phone.orders))
  const logout = phone.gate.logout()
  const during = Promise.allSettled(Array.from({ length: 20 }, phone.orders))
  await logout
  for (const { status, value, reason } of [...await before, ...await during]) {
    if (status === 'fulfilled') assert.equal(value.statusCode, 200)
    else assert.equal(reason.code, 'logged_out')
  }
  assert.ok((await during).every(({ reason }) => reason?.code === 'logged_out'))
  assert.equal(phone.wx.codes, 1)
})

test('no request is sent while the user logs out', async () => {
  const phone = newPhone(gateway)
  await phone.orders()
  let release
  const held = holdResponse(phone, '/logout', new Promise((resolve) => { release = resolve }))
  const logout = phone.gate.logout()
  await held
  gateway.proxy.reset()
  const orders = assert.rejects(phone.orders(), loggedOut)
  await new Promise((done) => { setTimeout(done, 50) }) // a request would be sent at once
  release()
  await logout
  await orders
  assert.deepEqual(gateway.proxy.counts, {})
})

test('a request that meets a logout that fails is sent', async (t) => {
  skipPauses(t)
  const phone = newPhone(gateway)
  await phone.orders()
  gateway.proxy.next(pub('logout'), 'no request', 3)
  const logout = assert.rejects(phone.gate.logout(), /request:fail/)
  assert.equal((await phone.orders()).statusCode, 200)
  await logout
})

test('a login and a logout at the same moment happen one after the other', async () => {
  const phone = newPhone(gateway)
  const [identity] = await Promise.all([phone.gate.login(), phone.gate.logout()])
  assert.match(identity.openId, /./)
  await assert.rejects(phone.orders(), loggedOut)
  await Promise.all([phone.gate.logout(), phone.gate.login()])
  assert.equal((await phone.orders()).statusCode, 200)
})

test('a request that meets a login after a logout waits for it', async () => {
  const phone = newPhone(gateway)
  await phone.orders()
  await phone.gate.logout()
  const login = phone.gate.login()
  assert.equal((await phone.orders()).statusCode, 200)
  await login
  assert.equal(phone.wx.codes, 2)
})

test('a logout button that is pressed twice is one logout', async () => {
  const phone = newPhone(gateway)
  await phone.orders()
  gateway.proxy.reset()
  await atOnce(2, () => phone.gate.logout())
  assert.equal(gateway.proxy.count(pub('logout')), 1)
  assert.equal(phone.count('logout'), 1)
})

test('a session that another device replaced is not taken back', async () => {
  const phone = newPhone(gateway)
  await phone.orders()
  gateway.proxy.next('/orders', problem(401, 'session_replaced'), 10)
  gateway.proxy.reset()
  const outcomes = await Promise.allSettled(Array.from({ length: 10 }, phone.orders))
  assert.ok(outcomes.every(({ reason }) => reason.code === 'logged_out'))
  assert.equal(outcomes[0].reason.detail, 'the detail of session_replaced')
  assert.equal(gateway.proxy.count(pub('openId')), 0)
  assert.equal(gateway.proxy.count(pub('refresh')), 0)
  assert.deepEqual(phone.events.filter(([name]) => name === 'logout'), [['logout', { reason: 'session_replaced' }]])
  await assert.rejects(phone.restart().orders(), loggedOut)
  await atOnce(5, () => phone.gate.login())
  assert.equal(phone.wx.codes, 2)
  assert.equal((await phone.orders()).statusCode, 200)
})

test('a refresh token whose session was replaced ends in logged_out too', async () => {
  const phone = newPhone(gateway)
  await phone.orders()
  await retireKeys(gateway)
  gateway.proxy.next(pub('refresh'), problem(401, 'session_replaced'))
  await assert.rejects(phone.orders(), loggedOut)
  assert.equal(phone.wx.codes, 1)
})

test('another phone of the user is not logged out by a logout', async () => {
  const phone = newPhone(gateway)
  const tablet = newPhone(gateway, { user: phone.user })
  await Promise.all([phone.orders(), tablet.orders()])
  await phone.gate.logout()
  assert.equal((await tablet.orders()).statusCode, 200)
  assert.equal(tablet.wx.codes, 1)
})

test('a session that is replaced while a refresh is under way is not taken back either', async () => {
  const phone = newPhone(gateway)
  await phone.orders()
  const request = phone.wx.request
  const replaced = new Promise((resolve) => { phone.gate.on('logout', resolve) })
  phone.wx.request = (options) => {
    if (!options.url.endsWith('/refresh')) return request(options)
    replaced.then(() => request(options)) // it is slow
    return undefined
  }
  gateway.proxy.next('/a', problem(401, 'token_expired'))
  gateway.proxy.next(pub('refresh'), problem(401, 'session_replaced'))
  gateway.proxy.next('/b', problem(401, 'session_replaced'))
  const [a, b] = await Promise.allSettled([phone.gate.request({ url: '/a' }), phone.gate.request({ url: '/b' })])
  assert.equal(a.reason?.code, 'logged_out')
  assert.equal(b.reason?.code, 'logged_out')
  assert.equal(phone.wx.codes, 1)
  assert.equal(phone.count('logout'), 1)
})
