import type { Events, Identity } from './events';
import type { Host, Response } from './host';
import type { Storage } from './state';
import type { Task } from './task';
/** The options of createClient. */
export interface ClientOptions {
    /** The gateway's public URL, for example `https://api.example.com`. The client sends tokens nowhere else. */
    baseURL: string;
    /** The appid of this mini program. Required if the site admits several and the platform is not WeChat. */
    appid?: string;
    /** The path of the gateway's calls. Default: `/v1.0/pub`. */
    prefix?: string;
    /** `wx`, `uni`, `tt`, `qq`, `Taro`. Default: the first of wx, tt, qq and uni that exists. */
    host?: Host;
    /** Where the tokens are stored. Default: the host's storage. */
    storage?: Storage;
}
/** The options of `wx.request`, with a path in `url`. All others are passed on. */
export interface RequestOptions {
    /** A path below baseURL, for example `/orders`, or a whole URL there. */
    url: string;
    method?: string;
    data?: any;
    header?: Record<string, string>;
    timeout?: number;
    success?(response: any): void;
    fail?(failure: any): void;
    complete?(result: any): void;
    [name: string]: any;
}
/** The options of `wx.uploadFile`. */
export interface UploadOptions extends RequestOptions {
    filePath: string;
    name: string;
}
/** The options of `wx.connectSocket`. */
export interface SocketOptions {
    /** A path below baseURL, or a whole `wss://` URL there. */
    url: string;
    header?: Record<string, string>;
    [name: string]: any;
}
/** `e.detail` of `<button open-type="getPhoneNumber">`. */
export interface PhoneDetail {
    code?: string;
    encryptedData?: string;
    iv?: string;
    errMsg?: string;
    errno?: number;
}
/** A phone number. */
export interface PhoneNumber {
    /** With the country code, if it is not 86. */
    phoneNumber: string;
    purePhoneNumber: string;
    countryCode: string;
    /** false if the number is no proof: see docs/platforms.md of wxgate. */
    verified?: boolean;
    [name: string]: any;
}
/** What `wx.getUserProfile` or `wx.getUserInfo` returns. */
export interface UserInfoDetail {
    encryptedData: string;
    iv: string;
    rawData?: string;
    signature?: string;
}
/** The identity in the access token. */
export interface SessionInfo {
    openId: string;
    unionId?: string;
    appId: string;
    /** The ID of the session. Logs and services have it too. */
    session: string;
    /** The seconds until the access token expires. */
    expires_in: number;
    phone_verified: boolean;
    [name: string]: any;
}
/** A browser that asks to be signed in with the code that the user scanned. */
export interface ScanRequest {
    /** For example `Chrome on Windows`. */
    browser: string;
    /** The browser's address without its end, for example `203.0.113.*`. */
    address: string;
    /** Where that address is, if the gateway knows. */
    place?: string;
    /** How many seconds the user has. */
    expiresIn: number;
    /**
     * Signs the browser in. `number` is what the user read in the browser and typed. A wrong number
     * rejects with `wrong_number`, and the third with `scan_not_found`: the user needs a new code.
     */
    confirm(number: string): Promise<void>;
    /** Refuses: the browser is not signed in. */
    refuse(): Promise<void>;
}
/**
 * The client of one gateway. Its methods reject with a GateError if the gateway refuses and the
 * client cannot recover, and with a HostError if the host's call fails, for example without a
 * network.
 */
export interface Client {
    /** Logs in with `wx.login`. Calls at the same time share one login. `request` does it when needed. */
    login(): Promise<Identity>;
    /**
     * Sends a request as `wx.request` does, with the user's token. It resolves with the response of
     * the service, whatever its status. The promise has the methods of a RequestTask.
     */
    request(options: RequestOptions): Promise<Response> & Task;
    /** Returns the phone number for `e.detail` of the button. From then on the token carries it. */
    phone(detail: PhoneDetail): Promise<PhoneNumber>;
    /** Decrypts a profile. */
    userInfo(detail: UserInfoDetail): Promise<any>;
    /** Asks the gateway who the user is. */
    session(): Promise<SessionInfo>;
    /**
     * Returns the URL for `<web-view src>` that shows `url`, a path or URL of the site, to the user
     * signed in. It works once, within 60 seconds: call this when the web-view opens.
     */
    openWebView(url: string): Promise<string>;
    /**
     * For the page that the code of a scan opens: `scene` is the page's `options.scene`. Rejects
     * with `scan_not_found` if the scene names no scan, or one that has ended or belongs to another user.
     */
    confirmScan(scene: string): Promise<ScanRequest>;
    /** Ends this session, or with `all` the user's sessions on all phones. */
    logout(options?: {
        all?: boolean;
    }): Promise<void>;
    uploadFile(options: UploadOptions): Promise<Response> & Task;
    /** Downloads a file. The body of a refusal is in the file, so that a 403 resolves, too. */
    downloadFile(options: RequestOptions): Promise<Response> & Task;
    /** Opens a WebSocket, and resolves with its SocketTask. */
    connectSocket(options: SocketOptions): Promise<any>;
    /** Adds a listener, and returns a function that removes it. */
    on<K extends keyof Events>(name: K, listener: (event: Events[K]) => void): () => void;
}
