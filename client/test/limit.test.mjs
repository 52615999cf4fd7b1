import assert from 'node:assert/strict'
import { after, test } from 'node:test'

import { atOnce, holdResponse, newPhone, pub } from './phone.mjs'
import { retireKeys, startGateway } from './servers.mjs'

const gateway = await startGateway({ after }, { app: 'session_limit 1' })

const loggedOut = { name: 'GateError', code: 'logged_out' }

test('two devices of a user do not end each other\'s sessions for ever', async () => {
  const phone = newPhone(gateway)
  const tablet = newPhone(gateway, { user: phone.user })
  await phone.orders()
  await tablet.orders()
  gateway.proxy.reset()
  for (let i = 0; i < 5; i++) {
    await assert.rejects(atOnce(3, phone.orders), loggedOut)
    assert.equal((await tablet.orders()).statusCode, 200)
  }
  await assert.rejects(phone.restart().orders(), loggedOut)
  assert.equal(gateway.proxy.count(pub('openId')), 0)
  assert.deepEqual(phone.events.filter(([name]) => name === 'logout'), [['logout', { reason: 'session_replaced' }]])
  assert.equal(tablet.count('logout'), 0)
})

test('a user who logs in again takes the place, once', async () => {
  const phone = newPhone(gateway)
  const tablet = newPhone(gateway, { user: phone.user })
  await phone.orders()
  await tablet.orders()
  await assert.rejects(phone.orders(), loggedOut)
  await phone.gate.login()
  assert.equal((await phone.orders()).statusCode, 200)
  await assert.rejects(tablet.orders(), loggedOut)
  assert.equal((await phone.orders()).statusCode, 200)
  assert.deepEqual([phone.wx.codes, tablet.wx.codes], [2, 1])
})

test('a refresh of the ended session does not log in again either', async () => {
  const phone = newPhone(gateway)
  const tablet = newPhone(gateway, { user: phone.user })
  await phone.orders()
  await tablet.orders()
  await retireKeys(gateway) // so that both refresh
  await assert.rejects(phone.orders(), loggedOut)
  assert.equal((await tablet.orders()).statusCode, 200)
  assert.deepEqual([phone.wx.codes, tablet.wx.codes], [1, 1])
})

test('a login replaces the session of this phone, and no request of it is logged out', async () => {
  const phone = newPhone(gateway)
  await phone.orders()
  let release
  const held = holdResponse(phone, '/openId', new Promise((resolve) => { release = resolve }))
  const login = phone.gate.login()
  await held // the gateway has replaced the session, and the phone does not know the new one yet
  gateway.proxy.reset()
  const orders = atOnce(3, phone.orders)
  while (gateway.proxy.statuses[401] !== 3) await new Promise(setImmediate)
  setImmediate(() => setImmediate(release))
  assert.ok((await orders).every(({ statusCode }) => statusCode === 200))
  await login
  assert.deepEqual([phone.wx.codes, phone.count('logout')], [2, 0])
})
