import { Response, say } from './host'

/** A refusal of the gateway that the client could not recover from. */
export class GateError extends Error {
  /** The HTTP status, 0 if no request was sent. */
  readonly statusCode!: number
  /**
   * The error code, as docs/api.md of wxgate lists them. Two codes are the client's: `logged_out`,
   * after a logout and until `login()` is called, and `unexpected_response`, if the response of a
   * call is not wxgate's. `scan_not_found` with status 0 is the client's too.
   */
  readonly code!: string
  /** What happened, for developers. It may change: don't compare it. */
  readonly detail!: string
  /** WeChat's error code, if WeChat refused. */
  readonly errcode?: number
  /** The ID of the request in the gateway's access log. */
  readonly requestId?: string
  /** After how many seconds to try again, if the gateway says so. */
  readonly retryAfter?: number

  constructor(statusCode: number, code: string, detail: string, more?: { errcode?: number, requestId?: string, retryAfter?: number }) {
    super(code + ': ' + detail)
    Object.assign(this, more, { name: 'GateError', statusCode, code, detail })
  }
}

/**
 * Returns the gateway's refusal, or null if the response is a success or comes from the
 * service behind the gateway. A service may respond 401 with a `code` too: only `type`, the
 * URL of the code's documentation, shows that the gateway wrote it.
 */
export function refusal(response: Response): GateError | null {
  if (response.statusCode < 400) return null
  const problem = parsed(response.data)
  if (!problem || String(problem.type).split('#')[1] !== 'code-' + problem.code) return null
  const header = response.header || {}
  const name = Object.keys(header).find((name) => /^retry-after$/i.test(name))
  return new GateError(response.statusCode, problem.code, problem.detail || '', {
    errcode: problem.errcode,
    requestId: problem.instance,
    retryAfter: Number(name && header[name]) || undefined,
  })
}

/** Reports whether a call failed because the gateway refused it with one of these error codes. */
export function isRefusal(failure: unknown, codes: RegExp): failure is GateError {
  return codes.test((failure as GateError).code)
}

/** Reports whether a response has a JSON object, as every refusal of the gateway. */
export function isReadable(response: Response): boolean {
  return !!parsed(response.data)
}

/** The error for a response of a call of the gateway that the gateway did not write. */
export function unexpected(response: Response): GateError {
  return new GateError(response.statusCode, 'unexpected_response',
    say('Not a response of wxgate. Check baseURL and prefix.', '响应不是来自 wxgate，请检查 baseURL 和 prefix'))
}

/** Hosts leave JSON unparsed in uploads, and with other values of dataType and responseType. */
function parsed(data: any): any {
  const bytes = data && data.byteLength >= 0 // an ArrayBuffer, perhaps of another realm, as in WeChat's developer tools
  if (data && typeof data === 'object' && !bytes) return data
  try {
    return JSON.parse(bytes ? utf8(data) : data)
  } catch (notJSON) {
    return null
  }
}

/** Mini programs have no TextDecoder. */
function utf8(data: ArrayBuffer): string {
  let escaped = ''
  new Uint8Array(data).forEach((byte) => { escaped += '%' + (byte + 256).toString(16).slice(1) })
  return decodeURIComponent(escaped)
}
