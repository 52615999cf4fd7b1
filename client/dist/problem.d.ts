import { Response } from './host';
/** A refusal of the gateway that the client could not recover from. */
export declare class GateError extends Error {
    /** The HTTP status, 0 if no request was sent. */
    readonly statusCode: number;
    /**
     * The error code, as docs/api.md of wxgate lists them. Two codes are the client's: `logged_out`,
     * after a logout and until `login()` is called, and `unexpected_response`, if the response of a
     * call is not wxgate's. `scan_not_found` with status 0 is the client's too.
     */
    readonly code: string;
    /** What happened, for developers. It may change: don't compare it. */
    readonly detail: string;
    /** WeChat's error code, if WeChat refused. */
    readonly errcode?: number;
    /** The ID of the request in the gateway's access log. */
    readonly requestId?: string;
    /** After how many seconds to try again, if the gateway says so. */
    readonly retryAfter?: number;
    constructor(statusCode: number, code: string, detail: string, more?: {
        errcode?: number;
        requestId?: string;
        retryAfter?: number;
    });
}
/**
 * Returns the gateway's refusal, or null if the response is a success or comes from the
 * service behind the gateway. A service may respond 401 with a `code` too: only `type`, the
 * URL of the code's documentation, shows that the gateway wrote it.
 */
export declare function refusal(response: Response): GateError | null;
/** Reports whether a call failed because the gateway refused it with one of these error codes. */
export declare function isRefusal(failure: unknown, codes: RegExp): failure is GateError;
/** Reports whether a response has a JSON object, as every refusal of the gateway. */
export declare function isReadable(response: Response): boolean;
/** The error for a response of a call of the gateway that the gateway did not write. */
export declare function unexpected(response: Response): GateError;
