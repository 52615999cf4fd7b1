import { Emit, Identity } from './events'
import { Gateway, Pair } from './gateway'
import { extended, ignore, say } from './host'
import { GateError, isRefusal } from './problem'
import { repeating, repeatLogin, repeatSame } from './retry'
import { Store, Tokens } from './state'

/** What of its tokens a caller needs anew: the access token, which a refresh gives, or the login. */
export type Renewal = 'access' | 'login'

/** The session of the user. It logs in, refreshes and logs out, one at a time. */
export interface Session {
  /** Logs in. Callers at the same time share one login. */
  login(): Promise<Identity>
  /** Ends the session, or with `all` every session of the user. */
  logout(all: boolean): Promise<void>
  /** The tokens to send: those that there are, unless they are about to expire. */
  current(): Promise<Tokens>
  /**
   * Returns tokens newer than `used`: those that another call got meanwhile, or new ones. All
   * calls that need them at the same time share one refresh or login, and its failure.
   */
  renew(used: Tokens | undefined, what: Renewal): Promise<Tokens>
  /**
   * Ends in `logged_out`: another device took the session's place, and logging in again would
   * take it back, and so on. Returns if the user has logged in again since.
   */
  replaced(used: Tokens, refused: GateError): Promise<void>
  /** Takes over an access token that the gateway made for the same login, with the phone number in it. */
  adopt(used: Tokens, access: string, expiresIn: number): Promise<void>
}

export function createSession(gateway: Gateway, store: Store, emit: Emit): Session {
  /** What is under way. A login's promise says who the user is. */
  let change: { kind: Renewal | 'logout', done: Promise<Identity | void> } | undefined

  const begin = <T extends Identity | void>(kind: Renewal | 'logout', work: () => Promise<T>): Promise<T> => {
    const done = work()
    const begun = change = { kind, done }
    const end = () => { if (change === begun) change = undefined }
    done.then(end, end)
    return done
  }

  const keep = ({ identity, login }: { identity: Identity, login: number }, pair: Pair) =>
    store.save({ tokens: extended(pair, { receivedAt: Date.now(), login, identity }) })

  /** The tokens that there are, if they come from the same login. */
  const ofLogin = ({ login }: Tokens) => {
    const { tokens } = store.state
    return tokens && tokens.login === login && tokens
  }

  const logIn = async (silent?: boolean): Promise<Identity | void> => {
    const { identity, pair } = await repeating(gateway.login, repeatLogin)
    if ((await store.reload()) && silent) return
    await keep({ identity, login: Math.random() }, pair)
    emit('login', identity)
    return identity
  }

  /** Refreshes. It returns the refusal if the session has ended. */
  const refresh = async (tokens: Tokens): Promise<GateError | undefined> => {
    try {
      // Without a response, the same token is sent again: the gateway may have replaced it, and
      // returns the same pair.
      const pair = await repeating(() => gateway.refresh(tokens), repeatSame)
      await store.reload()
      if (!ofLogin(tokens)) return
      await keep(tokens, pair)
      emit('refresh', { expiresIn: pair.expiresIn })
    } catch (failure) {
      if (isUnauthorized(failure)) return failure
      throw failure
    }
  }

  // Another client with this storage may have renewed the tokens: its refresh token is the
  // current one, and the gateway would take ours for stolen.
  const logInUnlessDone = async () => {
    if (!(await store.reload())) return logIn(true)
  }
  const refreshUnlessDone = async (tokens: Tokens) => {
    if (await store.reload()) return
    const refused = await refresh(tokens)
    if (!refused) return
    if (refused.code !== 'session_replaced') await logIn()
    else await session.replaced(tokens, refused)
  }

  const logOut = async (all: boolean) => {
    await store.reload()
    if (store.state.loggedOut) return
    for (let again = false, used: Tokens | undefined; (used = store.state.tokens); again = true) {
      const tokens = used
      try {
        await repeating(() => gateway.logout(tokens, all), repeatSame)
        break
      } catch (failure) {
        if (again || !isUnauthorized(failure)) throw failure
        if (isRefusal(failure, /^(token_expired|invalid_token)$/) && !(await refresh(tokens))) continue
        if (!all) break // the session has ended already
        await logIn() // so that the user's other sessions end
      }
    }
    await store.reload()
    await store.save({ loggedOut: true })
    emit('logout', { reason: 'logout' })
  }

  const session: Session = {
    async login() {
      await store.load()
      while (change) {
        const { kind, done } = change
        const identity = await (kind === 'login' ? done : done.catch(ignore))
        if (identity) return identity
      }
      return begin('login', logIn) as Promise<Identity>
    },

    async logout(all) {
      await store.load()
      while (change) await change.done.catch(ignore)
      await begin('logout', () => logOut(all))
    },

    async current() {
      await store.load()
      const tokens = store.state.tokens
      if (!tokens || (change && change.kind === 'logout')) return session.renew(undefined, 'login')
      if (!expiresSoon(tokens)) return tokens
      try {
        return await session.renew(tokens, 'access')
      } catch (failure) {
        if (store.state.tokens !== tokens) throw failure
        return tokens // the gateway may accept it still
      }
    },

    async renew(used, what) {
      for (;;) {
        if (change && change.kind === 'logout') {
          await change.done.catch(ignore)
          continue
        }
        const { tokens, loggedOut } = store.state
        if (loggedOut && !change) {
          if (await store.reload()) continue
          throw loggedOutError()
        }
        if (tokens && (!used || tokens[what] !== used[what])) return tokens
        if (change) await change.done
        else if (tokens && what === 'access') await begin(what, () => refreshUnlessDone(tokens))
        else await begin('login', logInUnlessDone)
      }
    },

    async replaced(used, refused) {
      // With a limit of one session, a login of this phone replaces its own session.
      if (change && change.kind === 'login') await change.done.catch(ignore)
      await store.reload()
      if (!ofLogin(used)) return
      await store.save({ loggedOut: true })
      emit('logout', { reason: 'session_replaced' })
      throw loggedOutError(refused)
    },

    async adopt(used, access, expiresIn) {
      if (change) await change.done.catch(ignore) // a refresh that began before has no number
      await store.reload()
      const tokens = ofLogin(used)
      if (tokens) await keep(tokens, { access, refresh: tokens.refresh, expiresIn })
    },
  }
  return session
}

function isUnauthorized(failure: unknown): failure is GateError {
  return (failure as GateError).statusCode === 401
}

/**
 * Reports whether an access token expires within 30 seconds, or within a tenth of its life. It
 * compares two times of the same clock, which may be wrong; if it jumps, a refresh comes too
 * early, or the gateway says that the token has expired.
 */
function expiresSoon({ receivedAt, expiresIn }: Tokens): boolean {
  return Date.now() - receivedAt >= (expiresIn - Math.min(30, expiresIn / 10)) * 1000
}

function loggedOutError(refused?: GateError): GateError {
  const { statusCode, detail } = refused || {
    statusCode: 0, detail: say('Logged out. Call login() when the user asks for it.', '已退出登录，请由用户触发 login()'),
  }
  return new GateError(statusCode, 'logged_out', detail, refused)
}
