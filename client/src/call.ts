import { Response } from './host'
import { GateError } from './problem'
import { Repeatable, repeatRequest, waitAfter } from './retry'
import { Renewal, Session } from './session'
import { Tokens } from './state'

/** What must be new, after a refusal, for the request to succeed when it is repeated. */
const renewals: { [code: string]: Renewal | undefined } = {
  token_expired: 'access',
  invalid_token: 'access',
  session_revoked: 'login',
  refresh_reused: 'login',
  session_replaced: 'login', // if the user has logged in again since
  login_too_old: 'login',
}

/** One request that needs a token. */
export interface Call {
  send(tokens: Tokens): Promise<Response>
  /** Returns the gateway's refusal, or null if the response is the service's. */
  read(response: Response, tokens: Tokens): GateError | null | Promise<GateError | null>
  /** Reports whether the request may be sent again after a pause. Default: repeatRequest. */
  repeatable?: Repeatable
}

/**
 * Sends a request with the session's tokens, and repeats it: once after a refresh, once after a
 * login, and twice if the gateway asks to wait. It resolves with the response of the service,
 * and with the tokens that were accepted.
 */
export async function callWithTokens(session: Session, call: Call): Promise<{ response: Response, tokens: Tokens }> {
  const renewed: { [what: string]: boolean } = {}
  let tokens = await session.current()
  for (let attempt = 1; ;) {
    const response = await call.send(tokens)
    const refused = await call.read(response, tokens)
    if (!refused) return { response, tokens }
    if (refused.code === 'session_replaced') await session.replaced(tokens, refused)
    const what = renewals[refused.code]
    if (what && !renewed[what]) {
      renewed[what] = true
      tokens = await session.renew(tokens, what)
      continue
    }
    await waitAfter(refused, attempt++, call.repeatable || repeatRequest)
    tokens = await session.current()
  }
}
