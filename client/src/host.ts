// What the client needs of the program that runs it: wx of WeChat, uni of uni-app, tt of
// Douyin, qq of QQ, Taro, and any object of the same shape.

/** The part of `wx`, `uni`, `tt`, `qq` or `Taro` that the client calls. */
export interface Host {
  login(options: any): any
  request(options: any): any
  uploadFile?(options: any): any
  downloadFile?(options: any): any
  connectSocket?(options: any): any
  getStorageSync?(key: string): any
  setStorageSync?(key: string, value: any): any
  removeStorageSync?(key: string): any
  getAppBaseInfo?(): any
}

/** What `success` of wx.request receives. Every HTTP status arrives there, 4xx and 5xx too. */
export interface Response {
  statusCode: number
  data: any
  /** The names are in upper or lower case: platforms and versions differ. */
  header: Record<string, string>
  [name: string]: any
}

/** A call of the host that failed: no connection, a timeout, or the user refused. */
export class HostError extends Error {
  /** What the host reports, for example `request:fail timeout`. */
  readonly errMsg!: string
  /** The host's error number, if it has one. */
  readonly errno?: number

  constructor(failure: any) {
    const { errMsg, message, errno } = failure || {}
    super(String(errMsg || message || failure))
    Object.assign(this, { name: 'HostError', errMsg: this.message, errno })
  }
}

/** Returns a copy of an object with more members. */
export function extended<A extends object, B extends object>(object: A, more?: B): A & B {
  return Object.assign({}, object, more!)
}

/**
 * Receives what a function of the host returns: the task of a request or of an upload. It is
 * called without a task before, and returns whether the task was aborted.
 */
export type Started = (task?: any) => boolean

/** Calls a function of the host that reports to `success` and `fail`. */
export function callHost(host: any, name: string, options: object, started?: Started): Promise<any> {
  return new Promise((resolve, reject) => {
    const reason = typeof host[name] !== 'function' ? 'not supported' : started && started() && 'abort'
    if (reason) throw new HostError({ errMsg: name + ':fail ' + reason })
    const task = host[name](extended(options, {
      success: resolve,
      fail: (failure: any) => reject(new HostError(failure)),
      complete: undefined,
    }))
    // Taro returns a promise too. It rejects beside `fail`, and no one else handles it.
    if (task && typeof task.catch === 'function') task.catch(ignore)
    if (started) started(task)
  })
}

/** The host of the program that the client runs in. The wx of a web page has no request. */
export function defaultHost(): Host {
  const hosts = [typeof wx !== 'undefined' && wx, typeof tt !== 'undefined' && tt, typeof qq !== 'undefined' && qq, typeof uni !== 'undefined' && uni]
  for (const host of hosts) if (host && host.request) return host
  throw new TypeError('no wx, tt, qq or uni found: pass the host')
}

let language = ''

/** Reads the language of the host, which is one for the whole program: `zh_CN`, `en`. */
export function readLanguage(host: Host): void {
  try {
    language = host.getAppBaseInfo!().language
  } catch (missing) {} // then it is English
}

/** Returns a text for developers in the language of the host. */
export function say(english: string, chinese: string): string {
  return /^zh/.test(language) ? chinese : english
}

/** The handler of a promise whose failure is reported elsewhere. */
export function ignore(): void {}
