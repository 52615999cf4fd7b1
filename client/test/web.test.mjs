import assert from 'node:assert/strict'
import { test } from 'node:test'

import { newPhone, problem, skipPauses } from './phone.mjs'
import { scan, startWebsite } from './website.mjs'

const ticketURL = (n) => `https://www.example.com/v1.0/pub/web/enter?ticket=ticket-${n}`

test('openWebView logs in, and returns the URL of a new ticket that returns to the page', async (t) => {
  const site = await startWebsite(t)
  const phone = newPhone(site)
  const returns = {
    '/orders': '%2Forders',
    '/orders?page=2&size=10#last': '%2Forders%3Fpage%3D2%26size%3D10%23last',
    '/%E8%AE%A2?q=订单 😀': '%2F%25E8%25AE%25A2%3Fq%3D%25E8%25AE%25A2%25E5%258D%2595%2520%25F0%259F%2598%2580', // the gateway accepts ASCII only
    'https://shop.example.com/a?b=c': 'https%3A%2F%2Fshop.example.com%2Fa%3Fb%3Dc',
  }
  let n = 0
  for (const [url, encoded] of Object.entries(returns)) {
    assert.equal(await phone.gate.openWebView(url), `${ticketURL(++n)}&return=${encoded}`)
  }
  assert.equal(phone.wx.codes, 1)
  const [{ method, token, body }] = site.sent('web/ticket')
  assert.deepEqual({ method, token, body }, { method: 'POST', token: 'access-1', body: '{}' })
})

test('openWebView refreshes a token that has expired, once', async (t) => {
  const site = await startWebsite(t)
  const phone = newPhone(site)
  await phone.gate.login()
  site.tokens.clear()
  assert.equal(await phone.gate.openWebView('/'), ticketURL(1) + '&return=%2F')
  assert.deepEqual([phone.wx.codes, site.sent('refresh').length, site.sent('web/ticket').length], [1, 1, 2])
})

test('openWebView rejects when there is no ticket', async (t) => {
  const site = await startWebsite(t)
  const phone = newPhone(site)
  site.next('web/ticket', problem(403, 'forbidden'))
  await assert.rejects(phone.gate.openWebView('/'), { name: 'GateError', code: 'forbidden' })
  for (const status of [200, 302]) { // of a captive portal
    site.next('web/ticket', { status, body: '<html>' })
    await assert.rejects(phone.gate.openWebView('/'), { name: 'GateError', code: 'unexpected_response' })
  }
  assert.deepEqual(phone.events.slice(1).map(([name, { code }]) => [name, code]), [['error', 'forbidden'], ['error', 'unexpected_response'], ['error', 'unexpected_response']])
})

test('confirmScan shows who asks, and confirms with the number as it was typed', async (t) => {
  const site = await startWebsite(t)
  site.place = '广东 深圳'
  const phone = newPhone(site)
  const { confirm, refuse, ...shown } = await phone.gate.confirmScan(scan)
  assert.deepEqual(shown, { browser: 'Chrome on Windows', address: '203.0.113.*', place: '广东 深圳', expiresIn: 119 })
  assert.equal(typeof refuse, 'function')
  assert.equal(site.state, 'waiting')
  assert.equal(await confirm('0421'), undefined)
  assert.equal(site.state, 'confirmed')
  assert.deepEqual(site.sent('web/scan/' + scan).map(({ body }) => JSON.parse(body)), [{ confirm: true, number: '0421' }])
  assert.equal(phone.wx.codes, 1)
})

test('confirmScan decodes the scene, and a place may be unknown', async (t) => {
  const site = await startWebsite(t)
  const phone = newPhone(site)
  const encoded = [...scan].map((letter) => '%' + letter.charCodeAt(0).toString(16)).join('')
  assert.equal((await phone.gate.confirmScan(encoded)).place, undefined)
})

test('a user who refuses sends no number', async (t) => {
  const site = await startWebsite(t)
  const request = await newPhone(site).gate.confirmScan(scan)
  await request.refuse()
  assert.equal(site.state, 'refused')
  assert.deepEqual(site.sent('web/scan/' + scan).map(({ body }) => body), ['{"confirm":false}'])
})

test('a number that is wrong can be typed again, until the gateway refuses the scan', async (t) => {
  const site = await startWebsite(t)
  const phone = newPhone(site)
  const request = await phone.gate.confirmScan(scan)
  for (let i = 0; i < 2; i++) await assert.rejects(request.confirm('1234'), { name: 'GateError', code: 'wrong_number', statusCode: 400 })
  await assert.rejects(request.confirm('1234'), { code: 'scan_not_found', statusCode: 404 })
  await assert.rejects(request.confirm('0421'), { code: 'scan_not_found', statusCode: 404 })
  assert.equal(site.sent('web/scan/' + scan).length, 4) // each once
  assert.deepEqual(phone.events.slice(1).map(([name, { code }]) => [name, code]), [
    ...Array(2).fill(['error', 'wrong_number']), ...Array(2).fill(['error', 'scan_not_found']),
  ])
})

test('a confirmation waits for the store, and refreshes the token', async (t) => {
  const site = await startWebsite(t)
  const pauses = skipPauses(t)
  const request = await newPhone(site).gate.confirmScan(scan)
  site.next('web/scan/' + scan, problem(503, 'store_unavailable', { 'retry-after': '1' }))
  site.tokens.clear()
  await request.confirm('0421')
  assert.equal(site.state, 'confirmed')
  assert.deepEqual(pauses, [1])
  assert.deepEqual(site.sent('web/scan/' + scan).map(({ token }) => token), ['access-1', 'access-1', 'access-5'])
})

test('a scene that names no scan is no call', async (t) => {
  const site = await startWebsite(t)
  const phone = newPhone(site)
  const scenes = [undefined, null, '', 'shop=1', scan.slice(1), scan + 'x', scan + '\n', scan.slice(1) + '/', scan.slice(2) + '..', '%' + scan, '%E0%A4%A']
  for (const scene of scenes) {
    await assert.rejects(phone.gate.confirmScan(scene), { name: 'GateError', code: 'scan_not_found', statusCode: 0 }, String(scene))
  }
  assert.equal(phone.count('error'), scenes.length)
  assert.equal(phone.wx.codes, 0)
  assert.deepEqual(site.calls, [])
})
