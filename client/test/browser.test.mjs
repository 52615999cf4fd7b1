import assert from 'node:assert/strict'
import { after, test } from 'node:test'

import { newBrowser } from './browser.mjs'
import { newPhone, pub } from './phone.mjs'
import { startGateway, WX_APPID } from './servers.mjs'

const gateway = await startGateway({ after }, { site: `web {
				url http://127.0.0.1:{port}
				scan ${WX_APPID}
				ticket
			}` })

const scanNotFound = { name: 'GateError', code: 'scan_not_found', statusCode: 404 }

/** The web-view of a phone's mini program: its requests come from the same device. */
const newWebView = () => newBrowser(gateway, { agent: '' })

/** Shows a code in a new browser. */
async function newScan() {
  const browser = newBrowser(gateway)
  const { status, data } = await browser.post(pub('web/scan'))
  assert.equal(status, 200)
  const call = pub('web/scan/' + data.scan)
  const state = async (known) => (await browser.get(`${call}?known=${known}`)).data.state
  return { browser, scan: data.scan, number: data.number, wrong: String((Number(data.number) + 1) % 10000).padStart(4, '0'), call, state }
}

test('a web-view that opens a ticket has the user of the mini program, until the logout', async () => {
  const phone = newPhone(gateway)
  const { data: { openid } } = await phone.orders()
  const view = newWebView()
  const url = await phone.gate.openWebView('/orders?page=2')
  const entered = await view.get(url)
  assert.deepEqual([entered.status, entered.location], [303, view.origin + '/orders?page=2'])
  const page = await view.get(entered.location)
  assert.deepEqual([page.status, page.data.openid, page.data.url], [200, openid, '/orders?page=2'])
  assert.equal(page.data.headers['x-wx-source'], 'web')
  assert.equal(phone.wx.codes, 1)

  assert.equal((await newWebView().get(url)).status, 400) // one use

  await phone.gate.logout()
  assert.equal((await view.get('/orders')).status, 401)
})

test('a web-view returns to what openWebView was given, encoded', async () => {
  const phone = newPhone(gateway)
  const { origin } = newWebView()
  const returns = {
    '/订单?q=😀 a&b=%2F#last': '/%E8%AE%A2%E5%8D%95?q=%F0%9F%98%80%20a&b=%2F#last',
    [origin + '/orders']: '/orders',
  }
  for (const [url, location] of Object.entries(returns)) {
    const entered = await newWebView().get(await phone.gate.openWebView(url))
    assert.deepEqual([entered.status, entered.location], [303, origin + location])
  }
  const refused = await newWebView().get(await phone.gate.openWebView('https://www.example.net/'))
  assert.deepEqual([refused.status, refused.location], [400, undefined])
})

test('a browser is signed in as the user who scanned its code and typed its number', async () => {
  const phone = newPhone(gateway)
  const { browser, scan, number, wrong, call, state } = await newScan()
  const { confirm, refuse, ...asked } = await phone.gate.confirmScan(encodeURIComponent(scan))
  assert.equal(typeof refuse, 'function')
  assert.ok(asked.expiresIn > 60 && asked.expiresIn <= 120, String(asked.expiresIn))
  assert.deepEqual(asked, { browser: 'Chrome on Windows', address: '127.0.0.*', place: undefined, expiresIn: asked.expiresIn })
  assert.equal(await state('waiting'), 'scanned')

  await assert.rejects(confirm(wrong), { name: 'GateError', code: 'wrong_number', statusCode: 400 })
  assert.notEqual((await browser.post(call + '/finish')).status, 204)
  await confirm(number)
  assert.equal(await state('scanned'), 'confirmed')
  assert.equal((await browser.post(call + '/finish')).status, 204)
  const [page, orders] = [await browser.get('/orders'), await phone.orders()]
  assert.deepEqual([page.status, page.data.openid], [200, orders.data.openid])
  await assert.rejects(confirm(number), scanNotFound)
})

test('a browser is not signed in if the user refuses', async () => {
  const phone = newPhone(gateway)
  const { browser, scan, number, call, state } = await newScan()
  const request = await phone.gate.confirmScan(scan)
  await request.refuse()
  assert.equal(await state('scanned'), 'refused')
  await assert.rejects(request.confirm(number), scanNotFound)
  assert.notEqual((await browser.post(call + '/finish')).status, 204)
  assert.equal((await browser.get('/orders')).status, 401)
})

test('the third wrong number ends a scan', async () => {
  const { scan, number, wrong, state } = await newScan()
  const { confirm } = await newPhone(gateway).gate.confirmScan(scan)
  for (let i = 0; i < 2; i++) await assert.rejects(confirm(wrong), { code: 'wrong_number' })
  await assert.rejects(confirm(wrong), scanNotFound)
  await assert.rejects(confirm(number), scanNotFound)
  assert.equal(await state('scanned'), 'refused')
})

test('the phone that scanned first is the only one that can confirm', async () => {
  const { scan, number } = await newScan()
  const first = await newPhone(gateway).gate.confirmScan(scan)
  await assert.rejects(newPhone(gateway).gate.confirmScan(scan), scanNotFound)
  await first.confirm(number)
})

test('a scan that the gateway does not know is scan_not_found', async () => {
  await assert.rejects(newPhone(gateway).gate.confirmScan('A'.repeat(22)), scanNotFound)
})
