import { say } from './host'
import { GateError } from './problem'
import type { ScanRequest } from './types'

/** Calls the gateway with the user's token, and returns what its response has. */
type Ask = (name: string, sent?: object) => Promise<{ data: any }>

/** Reports a rejection as the event `error`, and returns the promise. */
type Report = <P extends Promise<unknown>>(promise: P) => P

/** Returns the URL that a web-view opens: it signs the user in there and goes on to `url`. */
export async function openWebView(ask: Ask, url: string): Promise<string> {
  const { data } = await ask('web/ticket', {})
  const ascii = url.replace(/[^!-~]+/g, encodeURIComponent) // what a URL in a header may have
  return data.url + '&return=' + encodeURIComponent(ascii)
}

/** Asks which browser is to be signed in with the code that the user scanned. */
export async function confirmScan(ask: Ask, reported: Report, scene: string): Promise<ScanRequest> {
  const call = 'web/scan/' + scanOf(scene)
  const { browser, address, place, expires_in: expiresIn } = (await ask(call + '/request')).data
  const decide = async (decision: object) => { await ask(call, decision) }
  return {
    browser, address, place, expiresIn,
    confirm: (number) => reported(decide({ confirm: true, number })),
    refuse: () => reported(decide({ confirm: false })),
  }
}

/** The scan that a scene names, which WeChat gives to the page URL-encoded. */
function scanOf(scene: string): string {
  let scan = ''
  try {
    scan = decodeURIComponent(scene)
  } catch (malformed) {} // is no scan either
  if (/^[\w-]{22}$/.test(scan)) return scan
  throw new GateError(0, 'scan_not_found', say('The scene names no scan.', 'scene 不是登录码'))
}
