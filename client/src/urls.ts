// Requests go to baseURL only: a token that is sent to another host is a token that is lost.

/** The URLs of one gateway. */
export interface URLs {
  /** The URL of a call of the gateway. */
  call(name: string): string
  /** The URL of a request: a path below baseURL, or a whole URL there. */
  request(url: string): string
  /** The same for a WebSocket: http becomes ws, and https becomes wss. */
  socket(url: string): string
}

export function createURLs(baseURL: string, prefix: string): URLs {
  const base = baseURL.replace(/\/+$/, '')
  if (!/^https?:\/\/[^/?#][^?#]*$/.test(base)) throw new TypeError('baseURL must be an http or https URL')
  if (prefix[0] !== '/') throw new TypeError('prefix must begin with /')
  const below = (start: string, url: string) => {
    if (url[0] === '/') return start + url
    if (url.indexOf(start + '/') === 0) return url
    throw new TypeError('url must be a path, or begin with ' + start + '/')
  }
  return {
    call: (name) => base + prefix.replace(/\/+$/, '') + '/' + name,
    request: (url) => below(base, url),
    socket: (url) => below(base.replace(/^http/, 'ws'), url),
  }
}

/** Replaces the header Authorization, in any spelling: the gateway refuses two of them. */
export function withToken(header: any, token: string): Record<string, string> {
  const sent: Record<string, string> = {}
  for (const name of Object.keys(header || {})) {
    if (name.toLowerCase() !== 'authorization') sent[name] = header[name]
  }
  sent.Authorization = 'Bearer ' + token
  return sent
}
