import { Emit, Identity } from './events'
import { Host, HostError } from './host'

/** The tokens of one session. */
export interface Tokens {
  access: string
  refresh: string
  /** The lifetime of the access token, in seconds from receivedAt. */
  expiresIn: number
  /** When the access token arrived, in milliseconds of this phone's clock. */
  receivedAt: number
  /** Names the login that the tokens come from: refreshes keep it. */
  login: number
  identity: Identity
}

/** What is stored. */
export interface State {
  /** Grows with every change, so that of two states the newer is known without a clock. */
  serial: number
  tokens?: Tokens
  /** The user logged out, or another device took the session's place. */
  loggedOut?: boolean
}

/**
 * Where the tokens are stored, synchronously or not. A value is a string of about 2 KB. `get`
 * returns what `set` stored, and anything empty if there is nothing.
 */
export interface Storage {
  get(key: string): any
  set(key: string, value: string): any
  remove(key: string): any
}

/** The host's storage. */
export function hostStorage(host: Host): Storage {
  return {
    get: (key) => host.getStorageSync!(key),
    set: (key, value) => host.setStorageSync!(key, value),
    remove: (key) => host.removeStorageSync!(key),
  }
}

/** The state in memory, and its copy in the storage, which may fail. */
export interface Store {
  readonly state: State
  /** Reads the storage, once. */
  load(): Promise<unknown>
  /**
   * Reads the storage again and takes over a newer state, which another client of this mini
   * program stored. Reports whether it did.
   */
  reload(): Promise<boolean>
  /**
   * Stores a new state. If the storage is full, the old state is removed: after a restart, its
   * refresh token would look like a stolen one, and the gateway would end the session.
   */
  save(next: { tokens?: Tokens, loggedOut?: boolean }): Promise<void>
}

export function createStore(storage: Storage, key: string, emit: Emit): Store {
  let loading: Promise<unknown> | undefined
  const failed = (failure: any) => {
    emit('error', failure instanceof Error ? failure : new HostError(failure))
  }
  const store: Store & { state: State } = {
    state: { serial: 0 },
    load: () => loading || (loading = store.reload()),
    async reload() {
      try {
        const stored = JSON.parse((await storage.get(key)) || '{}')
        if (!(stored.serial > store.state.serial)) return false
        store.state = stored
        return true
      } catch (failure) { // also a value that is not ours
        failed(failure)
        return false
      }
    },
    async save(next) {
      store.state = Object.assign({ serial: store.state.serial + 1 }, next)
      try {
        await storage.set(key, JSON.stringify(store.state))
      } catch (failure) {
        failed(failure)
        try {
          await storage.remove(key)
        } catch (again) {
          failed(again)
        }
      }
    },
  }
  return store
}
