import assert from 'node:assert/strict'
import { after, test } from 'node:test'

import { ask } from './http.mjs'
import { atOnce, newPhone, problem, pub, skipPauses } from './phone.mjs'
import { simulator, startGateway } from './servers.mjs'

const gateway = await startGateway({ after })

test('a request logs in, and resolves with the response of the service', async () => {
  const phone = newPhone(gateway)
  const response = await phone.gate.request({ url: '/orders?page=2', method: 'POST', data: { item: 1 }, header: { authorization: 'x', 'X-Mine': 'y' } })
  assert.equal(response.statusCode, 200)
  assert.match(response.header['Content-Type'], /json/)
  assert.equal(response.data.url, '/orders?page=2')
  assert.equal(response.data.body, '{"item":1}')
  assert.equal(response.data.headers['x-mine'], 'y')
  assert.equal(response.data.headers.authorization, undefined)
  const { openId } = await phone.gate.session()
  assert.equal(response.data.openid, openId)
  assert.deepEqual(phone.events.map(([name]) => name), ['login'])
})

test('a status of the service is no error', async () => {
  const phone = newPhone(gateway)
  for (const status of [401, 403, 404, 429, 500, 503]) {
    assert.equal((await phone.gate.request({ url: '/status/' + status })).statusCode, status)
  }
  const response = await phone.gate.request({ url: '/status/401/mine' }) // with a code that the gateway has too
  assert.equal(response.data.code, 'token_expired')
  assert.equal(phone.wx.codes, 1)
  assert.equal(phone.count('refresh'), 0)
})

test('50 requests without a token make one login', async () => {
  const phone = newPhone(gateway)
  gateway.proxy.reset()
  const responses = await atOnce(50, phone.orders)
  assert.equal(new Set(responses.map(({ data }) => data.openid)).size, 1)
  assert.equal(phone.wx.codes, 1)
  assert.equal(gateway.proxy.count(pub('openId')), 1)
  assert.equal(gateway.proxy.count('/orders'), 50)
})

test('callers of login share one login', async () => {
  const phone = newPhone(gateway)
  const identities = await atOnce(20, () => phone.gate.login())
  assert.equal(phone.wx.codes, 1)
  assert.equal(new Set(identities).size, 1)
  assert.match(identities[0].openId, /./)
  assert.equal(identities[0].appId, process.env.WX_APPID)
  assert.match(identities[0].sessionKey, /./)
  await phone.gate.login()
  assert.equal(phone.wx.codes, 2) // a login that is asked for is a new one
})

test('a lost response of a login is followed by a login with a new code', async (t) => {
  const pauses = skipPauses(t)
  const phone = newPhone(gateway)
  gateway.proxy.next(pub('openId'), 'no response')
  assert.equal((await phone.orders()).statusCode, 200)
  assert.equal(phone.wx.codes, 2)
  assert.deepEqual(pauses, [1])
})

test('a used code is followed by a login with a new one', async (t) => {
  skipPauses(t)
  const phone = newPhone(gateway)
  const login = phone.wx.login
  let used
  phone.wx.login = (options) => login({
    ...options,
    success: async ({ code }) => {
      if (!used) { // an interceptor that logs in with the same code
        used = code
        await ask('POST', gateway.proxy.url + pub('openId'), JSON.stringify({ code, appid: process.env.WX_APPID }))
      }
      options.success({ code })
    },
  })
  assert.equal((await phone.orders()).statusCode, 200)
  assert.equal(phone.wx.codes, 2)
})

test('a high-risk user is refused once, with the error of WeChat', async () => {
  const phone = newPhone(gateway)
  await simulator('POST', '/high-risk', { user: phone.user })
  gateway.proxy.reset()
  await assert.rejects(phone.orders(), (failure) => {
    assert.equal(failure.name, 'GateError')
    assert.equal(failure.statusCode, 403)
    assert.equal(failure.code, 'risk_blocked')
    assert.equal(failure.errcode, 40226)
    assert.match(failure.requestId, /^[0-9a-f-]{36}$/)
    assert.match(failure.detail, /./)
    return true
  })
  assert.equal(gateway.proxy.count(pub('openId')), 1)
  assert.equal(phone.count('error'), 1)
})

test('50 requests share the failure of one login', async () => {
  const phone = newPhone(gateway)
  await simulator('POST', '/high-risk', { user: phone.user })
  const outcomes = await Promise.allSettled(Array.from({ length: 50 }, phone.orders))
  assert.equal(new Set(outcomes.map(({ reason }) => reason.code)).size, 1)
  assert.equal(phone.wx.codes, 1)
})

test('the client waits as Retry-After says, and uses a new code', async (t) => {
  const pauses = skipPauses(t)
  const phone = newPhone(gateway)
  gateway.proxy.next(pub('openId'), problem(503, 'wechat_busy', { 'retry-after': '4' }))
  assert.equal((await phone.orders()).statusCode, 200)
  assert.deepEqual(pauses, [4])
  assert.equal(phone.wx.codes, 2)
})

test('a long wait is left to the caller', async (t) => {
  const pauses = skipPauses(t)
  const phone = newPhone(gateway)
  gateway.proxy.next(pub('openId'), problem(429, 'rate_limited', { 'retry-after': '3600' }))
  await assert.rejects(phone.orders(), { code: 'rate_limited', statusCode: 429, retryAfter: 3600, requestId: 'request-1' })
  assert.deepEqual(pauses, [])
})

test('the limit of logins of the gateway is reported with its wait', async (t) => {
  const limited = await startGateway(t, { site: 'limit login 1/10m' })
  await newPhone(limited).orders()
  await assert.rejects(newPhone(limited).orders(), (failure) => failure.code === 'rate_limited' && failure.retryAfter > 5)
})

test('a phone without a network rejects with what the host reports', async (t) => {
  skipPauses(t)
  const phone = newPhone(gateway)
  gateway.proxy.offline = true
  t.after(() => { gateway.proxy.offline = false })
  await assert.rejects(phone.orders(), (failure) => failure.name === 'HostError' && /^request:fail /.test(failure.errMsg) && failure.errno === 600001)
  gateway.proxy.offline = false
  await phone.orders()
  gateway.proxy.offline = true
  gateway.proxy.reset()
  await assert.rejects(phone.gate.request({ url: '/orders', method: 'POST' }), /request:fail/)
  assert.equal(gateway.proxy.count('/orders'), 1) // the service may have received it: the client sends it once
})

test('a wx.login that fails rejects with its errMsg', async () => {
  const phone = newPhone(gateway)
  phone.wx.loginFails = true
  await assert.rejects(phone.orders(), { name: 'HostError', errMsg: 'login:fail network' })
  assert.equal(phone.wx.codes, 1)
})

test('a response that is not from wxgate is reported as such', async (t) => {
  skipPauses(t)
  const phone = newPhone(gateway)
  gateway.proxy.next(pub('openId'), { status: 200, headers: {}, body: '<html>Welcome to the hotel</html>' }, 3)
  await assert.rejects(phone.orders(), { code: 'unexpected_response', statusCode: 200 })
  assert.equal((await phone.orders()).statusCode, 200)
})

test('a wrong prefix is an error that says so', async () => {
  const phone = newPhone(gateway, { prefix: '/v2' })
  await assert.rejects(phone.orders(), { code: 'missing_token', statusCode: 401 })
})
