import { Emit, Identity } from './events';
import { Gateway } from './gateway';
import { GateError } from './problem';
import { Store, Tokens } from './state';
/** What of its tokens a caller needs anew: the access token, which a refresh gives, or the login. */
export type Renewal = 'access' | 'login';
/** The session of the user. It logs in, refreshes and logs out, one at a time. */
export interface Session {
    /** Logs in. Callers at the same time share one login. */
    login(): Promise<Identity>;
    /** Ends the session, or with `all` every session of the user. */
    logout(all: boolean): Promise<void>;
    /** The tokens to send: those that there are, unless they are about to expire. */
    current(): Promise<Tokens>;
    /**
     * Returns tokens newer than `used`: those that another call got meanwhile, or new ones. All
     * calls that need them at the same time share one refresh or login, and its failure.
     */
    renew(used: Tokens | undefined, what: Renewal): Promise<Tokens>;
    /**
     * Ends in `logged_out`: another device took the session's place, and logging in again would
     * take it back, and so on. Returns if the user has logged in again since.
     */
    replaced(used: Tokens, refused: GateError): Promise<void>;
    /** Takes over an access token that the gateway made for the same login, with the phone number in it. */
    adopt(used: Tokens, access: string, expiresIn: number): Promise<void>;
}
export declare function createSession(gateway: Gateway, store: Store, emit: Emit): Session;
