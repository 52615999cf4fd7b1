import { Call, callWithTokens } from './call'
import { createEvents } from './events'
import { createGateway, timeout } from './gateway'
import { defaultHost, Host, HostError, ignore, readLanguage, Response } from './host'
import { GateError, isReadable, refusal, unexpected } from './problem'
import { repeatPhoneCode } from './retry'
import { createSession } from './session'
import { createStore, hostStorage } from './state'
import { Task, withCallbacks, withTask } from './task'
import type { Client, ClientOptions, PhoneDetail, PhoneNumber } from './types'
import { createURLs, withToken } from './urls'

/** Creates the client of one gateway. Create one for each, and share it between the pages. */
export function createClient(options: ClientOptions): Client {
  const { baseURL, appid, prefix = '/v1.0/pub' } = options
  const host: Host = options.host || defaultHost()
  readLanguage(host)
  const urls = createURLs(baseURL, prefix)
  const gateway = createGateway(host, urls, appid)
  const { on, emit } = createEvents()
  // Two clients of one mini program must not share tokens, unless they are for the same gateway and app.
  const key = 'wxgate ' + (appid || '') + ' ' + urls.call('')
  const session = createSession(gateway, createStore(options.storage || hostStorage(host), key, emit), emit)

  const reported = <T>(promise: Promise<T>): Promise<T> => {
    promise.catch((failure) => emit('error', failure))
    return promise
  }

  /**
   * Reads the gateway's refusal. The body of a 401 may not be there: a download has it in a file,
   * HEAD has none, and some proxies replace it. The call `session` says what the token lacks.
   */
  const readAny: Call['read'] = async (response, tokens) => {
    if (response.statusCode !== 401 || isReadable(response)) return refusal(response)
    return refusal(await gateway.send('request', { url: urls.call('session'), timeout }, tokens))
  }

  /** Sends a request, an upload or a download to the service. */
  const transfer = (name: string) => (options: any): Promise<Response> & Task => {
    const work = async (started: (task: any) => void) => {
      const sent = Object.assign({}, options, { url: urls.request(options.url) })
      const { response } = await callWithTokens(session, {
        send: (tokens) => gateway.send(name, sent, tokens, started),
        read: readAny,
      })
      return response
    }
    return withCallbacks(withTask((started) => reported(work(started))), options)
  }

  /** A call of the gateway that needs a token. */
  const ask = async (name: string, method: string, data?: any) => {
    const result = await callWithTokens(session, {
      send: (tokens) => gateway.send('request', { url: urls.call(name), method, data, timeout }, tokens),
      read: async (response) => refusal(response),
      repeatable: data && data.code && repeatPhoneCode,
    })
    if (result.response.statusCode >= 300) throw unexpected(result.response)
    return result
  }

  /** Asks the gateway to decrypt. After these refusals only a login helps, and then the user. */
  const decode = async (name: string, data: any) => {
    try {
      return await ask(name, 'POST', data)
    } catch (failure) {
      if (failure instanceof GateError && /^(session_stale|decrypt_failed)$/.test(failure.code)) await session.login().catch(ignore)
      throw failure
    }
  }

  const phone = async ({ code, encryptedData, iv, errMsg }: PhoneDetail): Promise<PhoneNumber> => {
    if (!code && !encryptedData) throw new HostError({ errMsg: errMsg || 'getPhoneNumber:fail no code' })
    const { response, tokens } = await decode('decode', code ? { code } : { encryptedData, iv })
    const { access_token: access, expires_in: expiresIn } = response.data
    if (access) await session.adopt(tokens, access, expiresIn)
    const number = Object.assign({}, response.data)
    for (const name of ['access_token', 'token_type', 'expires_in']) delete number[name]
    return number
  }

  /**
   * Opens a WebSocket. A mini program cannot see why a handshake was refused, so the gateway is
   * asked first whether it accepts the token.
   */
  const connectSocket = async (options: any): Promise<any> => {
    const url = urls.socket(options.url)
    const { tokens } = await ask('session', 'GET')
    return await new Promise((resolve, reject) => {
      const task = host.connectSocket!(Object.assign({}, options, {
        url,
        header: withToken(options.header, tokens.access),
        fail(failure: any) {
          if (options.fail) options.fail(failure)
          reject(new HostError(failure))
        },
      }))
      if (task) resolve(task)
    })
  }

  return {
    on,
    login: () => reported(session.login()),
    logout: (how) => reported(session.logout(!!how && !!how.all)),
    request: transfer('request'),
    uploadFile: transfer('uploadFile'),
    downloadFile: transfer('downloadFile'),
    connectSocket: (socket) => reported(connectSocket(socket)),
    phone: (detail) => reported(phone(detail)),
    userInfo: ({ encryptedData, iv, rawData, signature }) =>
      reported(decode('userInfo', { encryptedData, iv, rawData, signature }).then(({ response }) => response.data)),
    session: () => reported(ask('session', 'GET').then(({ response }) => response.data)),
  }
}
