import { Call, callWithTokens } from './call'
import { createEvents } from './events'
import { createGateway, timeout } from './gateway'
import { defaultHost, extended, Host, HostError, ignore, readLanguage, Response } from './host'
import { isReadable, isRefusal, refusal, unexpected } from './problem'
import { repeatPhoneCode } from './retry'
import { createSession } from './session'
import { createStore, hostStorage, Tokens } from './state'
import { Task, withCallbacks, withTask } from './task'
import type { Client, ClientOptions, PhoneDetail, PhoneNumber } from './types'
import { createURLs, withToken } from './urls'
import { confirmScan, openWebView } from './web'

/** What a call of the gateway returned, and the tokens that it accepted. */
interface Result {
  data: any
  tokens: Tokens
}

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

  const reported = <P extends Promise<unknown>>(promise: P): P => {
    promise.catch((failure) => emit('error', failure))
    return promise
  }

  /**
   * Reads the gateway's refusal. The body of a 401 may not be there: a download has it in a file,
   * HEAD has none, and some proxies replace it. The call `session` says what the token lacks.
   */
  const readAny: Call['read'] = async (response, tokens) => {
    if (response.statusCode === 401 && !isReadable(response)) {
      response = await gateway.send('request', { url: urls.call('session'), timeout }, tokens)
      if (response.statusCode !== 401) return null // then the 401 is the service's, and the request was received
    }
    return refusal(response)
  }

  /** Sends a request, an upload or a download to the service. */
  const transfer = (name: string) => (options: any): Promise<Response> & Task => {
    const work = withTask(async (started) => {
      const sent = extended(options, { url: urls.request(options.url) })
      const called = await callWithTokens(session, {
        send: (tokens) => gateway.send(name, sent, tokens, started),
        read: readAny,
      })
      return called.response
    })
    return withCallbacks(reported(work), options)
  }

  /** A call of the gateway that needs a token: POST if it has data. */
  const ask = async (name: string, sent?: any): Promise<Result> => {
    let used: Tokens
    try {
      const { response, tokens } = await callWithTokens(session, {
        send: (tokens) => gateway.send('request', { url: urls.call(name), method: sent ? 'POST' : 'GET', data: sent, timeout }, used = tokens),
        read: refusal,
        repeatable: sent && sent.code && repeatPhoneCode,
      })
      if (response.statusCode >= 300 || !isReadable(response)) throw unexpected(response)
      return { data: response.data, tokens }
    } catch (failure) {
      // Nothing can be decrypted: only a login helps, and then the user.
      if (isRefusal(failure, /^(session_stale|decrypt_failed)$/)) await session.renew(used!, 'login').catch(ignore)
      throw failure
    }
  }
  const dataOf = ({ data }: Result) => data

  const phone = async ({ code, encryptedData, iv, errMsg, errno }: PhoneDetail): Promise<PhoneNumber> => {
    if (!code && !encryptedData) throw new HostError({ errMsg: errMsg || 'getPhoneNumber:fail no code', errno })
    const byData = () => ask('decode', { encryptedData, iv })
    // Douyin gives a code too, but the gateway has phone codes of WeChat only.
    const byCode = () => ask('decode', { code }).catch((failure) => {
      if (encryptedData && isRefusal(failure, /^invalid_request$/)) return byData()
      throw failure
    })
    const { data, tokens } = await (code ? byCode() : byData())
    const { access_token: access, expires_in: expiresIn } = data
    if (access) await session.adopt(tokens, access, expiresIn)
    delete data.access_token
    delete data.token_type
    delete data.expires_in
    return data
  }

  /**
   * Opens a WebSocket. A mini program cannot see why a handshake was refused, so the gateway is
   * asked first whether it accepts the token.
   */
  const connectSocket = async (options: any): Promise<any> => {
    const url = urls.socket(options.url)
    const { tokens } = await ask('session')
    return new Promise((resolve, reject) => {
      const task = host.connectSocket!(extended(options, {
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
    userInfo: (detail) => reported(ask('userInfo', detail).then(dataOf)),
    session: () => reported(ask('session').then(dataOf)),
    openWebView: (url) => reported(openWebView(ask, url)),
    confirmScan: (scene) => reported(confirmScan(ask, reported, scene)),
  }
}
