/** The part of `wx`, `uni`, `tt`, `qq` or `Taro` that the client calls. */
export interface Host {
    login(options: any): any;
    request(options: any): any;
    uploadFile?(options: any): any;
    downloadFile?(options: any): any;
    connectSocket?(options: any): any;
    getStorageSync?(key: string): any;
    setStorageSync?(key: string, value: any): any;
    removeStorageSync?(key: string): any;
    getAppBaseInfo?(): any;
}
/** What `success` of wx.request receives. Every HTTP status arrives there, 4xx and 5xx too. */
export interface Response {
    statusCode: number;
    data: any;
    /** The names are in upper or lower case: platforms and versions differ. */
    header: Record<string, string>;
    [name: string]: any;
}
/** A call of the host that failed: no connection, a timeout, or the user refused. */
export declare class HostError extends Error {
    /** What the host reports, for example `request:fail timeout`. */
    readonly errMsg: string;
    /** The host's error number, if it has one. */
    readonly errno?: number;
    constructor(failure: any);
}
/** Returns a copy of an object with more members. */
export declare function extended<A extends object, B extends object>(object: A, more?: B): A & B;
/**
 * Receives what a function of the host returns: the task of a request or of an upload. It is
 * called without a task before, and returns whether the task was aborted.
 */
export type Started = (task?: any) => boolean;
/** Calls a function of the host that reports to `success` and `fail`. */
export declare function callHost(host: any, name: string, options: object, started?: Started): Promise<any>;
/** The host of the program that the client runs in. The wx of a web page has no request. */
export declare function defaultHost(): Host;
/** Reads the language of the host, which is one for the whole program: `zh_CN`, `en`. */
export declare function readLanguage(host: Host): void;
/** Returns a text for developers in the language of the host. */
export declare function say(english: string, chinese: string): string;
/** The handler of a promise whose failure is reported elsewhere. */
export declare function ignore(): void;
