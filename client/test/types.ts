// The types, as a mini program in TypeScript uses them. This file is compiled, not run.

import { createClient, GateError, HostError, type Client, type PhoneNumber, type ScanRequest } from 'wxgate-client'
import { createCloud } from 'wxgate-client/cloud'

declare const wx: {
  login(option?: { success?(result: { code: string }): void }): void
  request(option: { url: string, method?: 'GET' | 'POST', success?(result: { data: string | object | ArrayBuffer }): void }): { abort(): void }
  getStorageSync(key: string): unknown
  setStorageSync(key: string, data: unknown): void
  removeStorageSync(key: string): void
}

const gate: Client = createClient({ baseURL: 'https://api.example.com', host: wx })

export async function useAll(): Promise<void> {
  const { openId, unionId } = await gate.login()
  const strings: string[] = [openId, unionId || '']
  const response = await gate.request({ url: '/orders', method: 'POST', data: { item: 1 }, timeout: 1000 })
  const status: number = response.statusCode
  const number: PhoneNumber = await gate.phone({ code: 'x' })
  strings.push(number.purePhoneNumber, (await gate.session()).session, String(status))

  const upload = gate.uploadFile({ url: '/photos', filePath: 'x', name: 'photo' })
  upload.onProgressUpdate(({ progress }) => strings.push(progress))
  upload.abort()
  const remove: () => void = gate.on('logout', ({ reason }) => strings.push(reason))
  gate.on('login', (identity) => strings.push(identity.openId))
  gate.on('error', (failure) => {
    if (failure instanceof GateError) strings.push(failure.code, failure.detail, failure.requestId || '')
    else if (failure instanceof HostError) strings.push(failure.errMsg)
  })
  remove()
  const scan: ScanRequest = await gate.confirmScan('scene')
  strings.push(await gate.openWebView('/account'), scan.browser, scan.address, scan.place || '', String(scan.expiresIn))
  await scan.confirm('0421')
  await scan.refuse()
  await gate.logout({ all: true })
  const { socketTask } = await createCloud(gate).connectContainer({ service: 'ws', path: '/' })
  socketTask.close({})

  // @ts-expect-error: there is no such event
  gate.on('logon', () => {})
  // @ts-expect-error: baseURL is required
  createClient({ host: wx })
  // @ts-expect-error: a number loses its zeros
  void scan.confirm(421)
  // @ts-expect-error: an upload has a file
  void gate.uploadFile({ url: '/photos' })
}
