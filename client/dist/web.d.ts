import type { ScanRequest } from './types';
/** Calls the gateway with the user's token, and returns what its response has. */
type Ask = (name: string, sent?: object) => Promise<{
    data: any;
}>;
/** Reports a rejection as the event `error`, and returns the promise. */
type Report = <P extends Promise<unknown>>(promise: P) => P;
/** Returns the URL that a web-view opens: it signs the user in there and goes on to `url`. */
export declare function openWebView(ask: Ask, url: string): Promise<string>;
/** Asks which browser is to be signed in with the code that the user scanned. */
export declare function confirmScan(ask: Ask, reported: Report, scene: string): Promise<ScanRequest>;
export {};
