import { Response } from './host';
import { GateError } from './problem';
import { Repeatable } from './retry';
import { Session } from './session';
import { Tokens } from './state';
/** One request that needs a token. */
export interface Call {
    send(tokens: Tokens): Promise<Response>;
    /** Returns the gateway's refusal, or null if the response is the service's. */
    read(response: Response, tokens: Tokens): GateError | null | Promise<GateError | null>;
    /** Reports whether the request may be sent again after a pause. Default: repeatRequest. */
    repeatable?: Repeatable;
}
/**
 * Sends a request with the session's tokens, and repeats it: once after a refresh, once after a
 * login, and twice if the gateway asks to wait. It resolves with the response of the service,
 * and with the tokens that were accepted.
 */
export declare function callWithTokens(session: Session, call: Call): Promise<{
    response: Response;
    tokens: Tokens;
}>;
