import type { Client, ClientOptions } from './types';
/** Creates the client of one gateway. Create one for each, and share it between the pages. */
export declare function createClient(options: ClientOptions): Client;
