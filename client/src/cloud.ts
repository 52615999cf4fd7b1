// For mini programs that were written for WeChat Cloud Hosting (微信云托管): wx.cloud.callContainer
// and wx.cloud.connectContainer, over a client of wxgate.

import type { Client } from './index'
import { withCallbacks } from './task'

/** The options of `wx.cloud.callContainer`. */
export interface ContainerOptions {
  /** The path of the service, for example `/orders`. */
  path: string
  method?: string
  data?: any
  /** `X-WX-SERVICE` names the service. The gateway's Caddyfile can route by it. */
  header?: Record<string, string>
  /** The Cloud Hosting environment. It has no meaning here and is not sent. */
  config?: any
  success?(result: any): void
  fail?(failure: any): void
  complete?(result: any): void
  [name: string]: any
}

/** The part of `wx.cloud` that calls containers. */
export interface Cloud {
  /** Does nothing: the client needs no environment. */
  init(options?: any): Promise<void>
  /** Sends a request as the client's `request` does. */
  callContainer(options: ContainerOptions): Promise<any>
  /** Opens a WebSocket as the client's `connectSocket` does. */
  connectContainer(options: { path?: string, service?: string, header?: Record<string, string>, [name: string]: any }): Promise<{ socketTask: any }>
  /** `new cloud.Cloud({ resourceEnv, resourceAppid })`: the environment is ignored. */
  Cloud: new (options?: any) => Cloud
}

/** Returns what a mini program uses in the place of `wx.cloud`. */
export function createCloud(client: Client): Cloud {
  const cloud: any = {
    init: async () => {},

    callContainer({ config, path, ...options }: ContainerOptions) {
      return client.request(Object.assign(options, { url: pathOf(path) }))
    },

    connectContainer({ config, path, service, success, fail, complete, ...options }: any) {
      const header = service ? Object.assign({ 'X-WX-SERVICE': service }, options.header) : options.header
      const socket = client.connectSocket(Object.assign(options, { url: pathOf(path), header }))
      return withCallbacks(socket.then((socketTask) => ({ socketTask })), { success, fail, complete })
    },
  }
  cloud.Cloud = function () { return cloud }
  return cloud
}

/** Cloud Hosting accepts a path without the slash at its beginning. */
function pathOf(path = '/'): string {
  return path[0] === '/' ? path : '/' + path
}
