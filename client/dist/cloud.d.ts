import type { Client } from './index';
/** The options of `wx.cloud.callContainer`. */
export interface ContainerOptions {
    /** The path of the service, for example `/orders`. */
    path: string;
    method?: string;
    data?: any;
    /** `X-WX-SERVICE` names the service. The gateway's Caddyfile can route by it. */
    header?: Record<string, string>;
    /** The Cloud Hosting environment. It has no meaning here and is not sent. */
    config?: any;
    success?(result: any): void;
    fail?(failure: any): void;
    complete?(result: any): void;
    [name: string]: any;
}
/** The part of `wx.cloud` that calls containers. */
export interface Cloud {
    /** Does nothing: the client needs no environment. */
    init(options?: any): Promise<void>;
    /** Sends a request as the client's `request` does. */
    callContainer(options: ContainerOptions): Promise<any>;
    /** Opens a WebSocket as the client's `connectSocket` does. */
    connectContainer(options: {
        path?: string;
        service?: string;
        header?: Record<string, string>;
        [name: string]: any;
    }): Promise<{
        socketTask: any;
    }>;
    /** `new cloud.Cloud({ resourceEnv, resourceAppid })`: the environment is ignored. */
    Cloud: new (options?: any) => Cloud;
}
/** Returns what a mini program uses in the place of `wx.cloud`. */
export declare function createCloud(client: Client): Cloud;
