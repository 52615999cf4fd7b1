import { Identity } from './events';
import { Host, Response, Started } from './host';
import { Tokens } from './state';
import { URLs } from './urls';
/**
 * How long a call of the gateway may take, in milliseconds. With its pauses, a refresh that is
 * repeated stays within the 20 seconds for which the gateway accepts the old refresh token.
 */
export declare const timeout = 5000;
/** What a login or a refresh returns. */
export interface Pair {
    access: string;
    refresh: string;
    expiresIn: number;
}
/** The calls of the gateway, each sent once. A refusal rejects with a GateError. */
export interface Gateway {
    /** Logs in with a new code of the host's login. */
    login(): Promise<{
        identity: Identity;
        pair: Pair;
    }>;
    /** Exchanges the refresh token. */
    refresh(tokens: Tokens): Promise<Pair>;
    logout(tokens: Tokens, all: boolean): Promise<unknown>;
    /** Calls `request`, `uploadFile` or `downloadFile` of the host with a token. */
    send(name: string, options: any, tokens: Tokens, started?: Started): Promise<Response>;
}
export declare function createGateway(host: Host, urls: URLs, appid?: string): Gateway;
