import { Identity } from './events'
import { callHost, extended, Host, Response, Started } from './host'
import { refusal, unexpected } from './problem'
import { Tokens } from './state'
import { URLs, withToken } from './urls'

/**
 * How long a call of the gateway may take, in milliseconds. With its pauses, a refresh that is
 * repeated stays within the 20 seconds for which the gateway accepts the old refresh token.
 */
export const timeout = 5000

/** What a login or a refresh returns. */
export interface Pair {
  access: string
  refresh: string
  expiresIn: number
}

/** The calls of the gateway, each sent once. A refusal rejects with a GateError. */
export interface Gateway {
  /** Logs in with a new code of the host's login. */
  login(): Promise<{ identity: Identity, pair: Pair }>
  /** Exchanges the refresh token. */
  refresh(tokens: Tokens): Promise<Pair>
  logout(tokens: Tokens, all: boolean): Promise<unknown>
  /** Calls `request`, `uploadFile` or `downloadFile` of the host with a token. */
  send(name: string, options: any, tokens: Tokens, started?: Started): Promise<Response>
}

export function createGateway(host: Host, urls: URLs, appid?: string): Gateway {
  const post = async (name: string, data: object, header = {}): Promise<Response> => {
    const response = await callHost(host, 'request', { url: urls.call(name), method: 'POST', data, timeout, header })
    const refused = refusal(response)
    if (refused) throw refused
    if (response.statusCode >= 300) throw unexpected(response)
    return response
  }
  return {
    async login() {
      const { code } = await callHost(host, 'login', { timeout: 2 * timeout })
      const response = await post('openId', { code, appid })
      const { openId, unionId, appId, session_key: sessionKey } = response.data
      return { identity: { openId, unionId, appId, sessionKey }, pair: pairOf(response) }
    },
    refresh: async (tokens) => pairOf(await post('refresh', { refresh_token: tokens.refresh })),
    logout: (tokens, all) => post('logout', { all }, withToken({}, tokens.access)),
    send: (name, options, tokens, started) =>
      callHost(host, name, extended(options, { header: withToken(options.header, tokens.access) }), started),
  }
}

/** The tokens of a response. A captive portal responds 200 too, without any. */
function pairOf(response: Response): Pair {
  const { access_token: access, refresh_token: refresh, expires_in: expiresIn } = response.data || {}
  if (!access || !refresh) throw unexpected(response)
  return { access, refresh, expiresIn }
}
