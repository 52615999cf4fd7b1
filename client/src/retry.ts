import { HostError } from './host'
import { GateError, isRefusal } from './problem'

/** How often a call is tried in all, if repeating it is safe. */
const attempts = 3

/**
 * How long the client waits at most, in seconds, before it repeats a call without being asked.
 * After a longer wait the user may want something else: the call rejects, with retryAfter.
 */
const longestWait = 5

/** Reports whether a call that failed may succeed when it is repeated. */
export type Repeatable = (failure: unknown) => boolean

/**
 * Waits before a call is repeated: a second and then two, or as long as the gateway asks. It
 * throws the failure if the call failed too often, cannot succeed, or the wait is too long.
 */
export async function waitAfter(failure: unknown, attempt: number, repeatable: Repeatable): Promise<void> {
  const asked = (failure as GateError).retryAfter || 0
  if (attempt >= attempts || asked > longestWait || !repeatable(failure)) throw failure
  await new Promise<void>((done) => { setTimeout(done, Math.max(asked, attempt) * 1000) })
}

/** Calls until it succeeds, as long as repeating it may help. */
export async function repeating<T>(call: () => Promise<T>, repeatable: Repeatable): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await call()
    } catch (failure) {
      await waitAfter(failure, attempt, repeatable)
    }
  }
}

/** A refresh or a logout may be sent again, with the same token, if there is no response of the gateway or a 5xx. */
export const repeatSame: Repeatable = (failure) =>
  !(failure instanceof GateError) || failure.code === 'unexpected_response' || failure.statusCode >= 500

/** A login may succeed with a new code, unless the host gives none. */
export const repeatLogin: Repeatable = (failure) =>
  failure instanceof HostError
    ? failure.errMsg.indexOf('login:') !== 0
    : isRefusal(failure, /^(invalid_code|code_used|rate_limited|store_unavailable|wechat_.*|unexpected_response)$/)

/**
 * A request may be sent again after a pause: the gateway did not forward it, so that nothing is
 * done twice.
 */
export const repeatRequest: Repeatable = (failure) => isRefusal(failure, /^(store_unavailable|rate_limited)$/)

/** The same for a phone code, which WeChat may have seen when the gateway limits it. */
export const repeatPhoneCode: Repeatable = (failure) => isRefusal(failure, /^store_unavailable$/)
