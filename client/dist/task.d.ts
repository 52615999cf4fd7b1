import { Started } from './host';
/** What a request, an upload or a download can do while it is under way. */
export interface Task {
    abort(): void;
    onHeadersReceived(listener: (result: any) => void): void;
    offHeadersReceived(listener?: (result: any) => void): void;
    onProgressUpdate(listener: (result: any) => void): void;
    offProgressUpdate(listener?: (result: any) => void): void;
    onChunkReceived(listener: (result: any) => void): void;
    offChunkReceived(listener?: (result: any) => void): void;
}
/**
 * Runs work that starts tasks of the host, and returns its promise with the methods of a task.
 * The host's task does not exist yet while the client logs in, and there are two if a request
 * is repeated: what was called is called on each. After `abort` none starts any more.
 */
export declare function withTask<T>(work: (started: Started) => Promise<T>): Promise<T> & Task;
/** Reports a promise to callbacks of the host's style too, if there are any. */
export declare function withCallbacks<P extends Promise<any>>(promise: P, options: any): P;
