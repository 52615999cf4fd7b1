// wxgate-client: login, tokens and requests of a mini program whose API is behind wxgate.

export { createClient } from './client'
export { GateError } from './problem'
export { HostError } from './host'
export type { Events, Identity } from './events'
export type { Host, Response } from './host'
export type { Storage } from './state'
export type { Task } from './task'
export type {
  Client, ClientOptions, PhoneDetail, PhoneNumber, RequestOptions, ScanRequest, SessionInfo, SocketOptions, UploadOptions, UserInfoDetail,
} from './types'
