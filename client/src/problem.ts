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

  constructor(statusCode: number, code: string, detail: string, more: { errcode?: number, requestId?: string, retryAfter?: number } = {}) {
    super(code + ': ' + detail)
    const { errcode, requestId, retryAfter } = more
    Object.assign(this, { name: 'GateError', statusCode, code, detail, errcode, requestId, retryAfter })
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
  if (!problem || typeof problem.code !== 'string') return null
  if (String(problem.type).split('#')[1] !== 'code-' + problem.code) return null
  const seconds = Number(retryAfterOf(response))
  return new GateError(response.statusCode, problem.code, problem.detail || '', {
    errcode: problem.errcode,
    requestId: problem.instance,
    retryAfter: seconds > 0 ? seconds : undefined,
  })
}

/** Reports whether a call failed because the gateway refused it with one of these error codes. */
export function isRefusal(failure: unknown, codes: RegExp): failure is GateError {
  return failure instanceof GateError && codes.test(failure.code)
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
  if (data && typeof data === 'object' && !(data instanceof ArrayBuffer)) return data
  try {
    return JSON.parse(data instanceof ArrayBuffer ? utf8(data) : data)
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

function retryAfterOf(response: Response): string | undefined {
  for (const name of Object.keys(response.header || {})) {
    if (/^retry-after$/i.test(name)) return response.header[name]
  }
  return undefined
}
