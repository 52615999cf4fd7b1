/** The URLs of one gateway. */
export interface URLs {
    /** The URL of a call of the gateway. */
    call(name: string): string;
    /** The URL of a request: a path below baseURL, or a whole URL there. */
    request(url: string): string;
    /** The same for a WebSocket: http becomes ws, and https becomes wss. */
    socket(url: string): string;
}
export declare function createURLs(baseURL: string, prefix: string): URLs;
/** Replaces the header Authorization, in any spelling: the gateway refuses two of them. */
export declare function withToken(header: any, token: string): Record<string, string>;
