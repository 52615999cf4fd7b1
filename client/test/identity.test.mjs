import assert from 'node:assert/strict'
import { after, test } from 'node:test'

import { holdResponse, newPhone, problem, pub } from './phone.mjs'
import { retireKeys, simulator, startGateway } from './servers.mjs'

const gateway = await startGateway({ after })

/** What the button getPhoneNumber gives to the page. */
async function phoneCode({ user }) {
  return { errMsg: 'getPhoneNumber:ok', code: await simulator('GET', '/phone-code?user=' + user) }
}

async function encryptedPhone({ user }) {
  const { encrypted_data: encryptedData, iv } = JSON.parse(await simulator('GET', '/encrypted-phone?user=' + user))
  return { errMsg: 'getPhoneNumber:ok', encryptedData, iv }
}

const pay = (phone) => phone.gate.request({ url: '/pay', method: 'POST' })

test('a path that requires a phone number is refused until phone was called', async () => {
  for (const button of [phoneCode, encryptedPhone]) {
    const phone = newPhone(gateway)
    await phone.gate.login()
    await assert.rejects(pay(phone), { code: 'phone_required' })
    const number = await phone.gate.phone(await button(phone))
    assert.deepEqual(Object.keys(number).sort(), ['countryCode', 'phoneNumber', 'purePhoneNumber', 'watermark'])
    assert.match(number.purePhoneNumber, /^\d+$/)
    assert.equal((await pay(phone)).statusCode, 200)
    assert.equal((await phone.gate.session()).phone_verified, true)
    assert.equal((await pay(phone.restart())).statusCode, 200)
    await retireKeys(gateway)
    assert.equal((await pay(phone)).statusCode, 200) // a refreshed token has the number too
    assert.equal(phone.wx.codes, 1)
  }
})

test('a phone number and a refresh at the same moment end in a token with the number', async () => {
  for (let i = 0; i < 5; i++) {
    const phone = newPhone(gateway)
    await phone.orders()
    const detail = await phoneCode(phone)
    await retireKeys(gateway)
    await Promise.all([phone.orders(), phone.gate.phone(detail), phone.orders()])
    assert.equal((await pay(phone)).statusCode, 200)
    assert.equal(phone.count('refresh'), 1)
  }
})

test('a refresh that began before the number was known does not undo it', async () => {
  const phone = newPhone(gateway)
  await phone.orders()
  let decoded
  const held = holdResponse(phone, '/refresh', new Promise((resolve) => { decoded = resolve }))
  gateway.proxy.next('/orders', problem(401, 'token_expired'))
  const orders = phone.orders()
  await held
  holdResponse(phone, '/decode', Promise.resolve()).then(() => setImmediate(decoded))
  await phone.gate.phone(await phoneCode(phone))
  await orders
  assert.equal((await pay(phone)).statusCode, 200)
  assert.equal(phone.count('refresh'), 1)
})

test('a user who does not share the number is no request', async () => {
  const phone = newPhone(gateway)
  gateway.proxy.reset()
  await assert.rejects(phone.gate.phone({ errMsg: 'getPhoneNumber:fail user deny', errno: 103 }), { name: 'HostError', errMsg: 'getPhoneNumber:fail user deny', errno: 103 })
  assert.deepEqual(gateway.proxy.counts, {})
})

test('a phone code is sent once: after any refusal the user presses the button again', async () => {
  const phone = newPhone(gateway)
  const detail = await phoneCode(phone)
  await phone.gate.phone(detail)
  gateway.proxy.reset()
  await assert.rejects(phone.gate.phone(detail), { code: 'invalid_code', statusCode: 400 })
  gateway.proxy.next(pub('decode'), problem(429, 'rate_limited', { 'retry-after': '1' }))
  await assert.rejects(phone.gate.phone(await phoneCode(phone)), { code: 'rate_limited', retryAfter: 1 })
  assert.equal(gateway.proxy.count(pub('decode')), 2)
})

test('data that no session_key decrypts is refused after a login, so that the next press succeeds', async () => {
  const phone = newPhone(gateway)
  await phone.gate.login()
  await simulator('POST', '/session-key/rotate', { user: phone.user })
  await assert.rejects(phone.gate.phone(await encryptedPhone(phone)), { code: 'decrypt_failed' })
  assert.equal(phone.wx.codes, 2)
  assert.match((await phone.gate.phone(await encryptedPhone(phone))).purePhoneNumber, /^\d+$/)
})

test('data that cannot be decrypted does not log in again after a logout', async () => {
  const phone = newPhone(gateway)
  await phone.orders()
  await simulator('POST', '/session-key/rotate', { user: phone.user })
  let release
  const held = holdResponse(phone, '/decode', new Promise((resolve) => { release = resolve }))
  const number = assert.rejects(phone.gate.phone(await encryptedPhone(phone)), { code: 'decrypt_failed' })
  await held
  await phone.gate.logout()
  release()
  await number
  await assert.rejects(phone.orders(), { code: 'logged_out' })
  assert.equal(phone.wx.codes, 1)
})

test('userInfo returns the profile, and session the identity', async () => {
  const phone = newPhone(gateway)
  const { openId } = await phone.gate.login()
  const profile = JSON.parse(await simulator('GET', '/encrypted-profile?user=' + phone.user))
  const detail = { errMsg: 'getUserProfile:ok', cloudID: 'x', userInfo: { nickName: '小明' }, encryptedData: profile.encrypted_data, iv: profile.iv, rawData: profile.raw_data, signature: profile.signature }
  const info = await phone.gate.userInfo(detail)
  assert.equal(info.openId, openId)
  await assert.rejects(phone.gate.userInfo({ ...detail, rawData: '{}' }), { name: 'GateError' })
  const session = await phone.gate.session()
  assert.equal(session.openId, openId)
  assert.equal(session.phone_verified, false)
  assert.ok(session.expires_in > 0)
})
