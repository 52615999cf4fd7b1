/** The names of the events, and what their listeners receive. */
export interface Events {
    /** A login: the identity of the user. */
    login: Identity;
    /** A refresh: the lifetime of the new access token in seconds. */
    refresh: {
        expiresIn: number;
    };
    /** `logout()`, or another device took the session's place. */
    logout: {
        reason: 'logout' | 'session_replaced';
    };
    /** An error that a call rejects with, or a failure of the storage. */
    error: Error;
}
/** Who the user is. */
export interface Identity {
    openId: string;
    unionId?: string;
    appId: string;
    /** The handle that old backends call session_key. It is not WeChat's session_key. */
    sessionKey?: string;
}
/** Adds a listener and returns a function that removes it. */
export type On = <K extends keyof Events>(name: K, listener: (event: Events[K]) => void) => () => void;
/** Calls the listeners. */
export type Emit = <K extends keyof Events>(name: K, event: Events[K]) => void;
export declare function createEvents(): {
    on: On;
    emit: Emit;
};
