import { Started } from './host'

/** What a request, an upload or a download can do while it is under way. */
export interface Task {
  abort(): void
  onHeadersReceived(listener: (result: any) => void): void
  offHeadersReceived(listener?: (result: any) => void): void
  onProgressUpdate(listener: (result: any) => void): void
  offProgressUpdate(listener?: (result: any) => void): void
  onChunkReceived(listener: (result: any) => void): void
  offChunkReceived(listener?: (result: any) => void): void
}

const methods = ['abort']
for (const event of ['HeadersReceived', 'ProgressUpdate', 'ChunkReceived']) methods.push('on' + event, 'off' + event)

/**
 * Runs work that starts tasks of the host, and returns its promise with the methods of a task.
 * The host's task does not exist yet while the client logs in, and there are two if a request
 * is repeated: what was called is called on each. After `abort` none starts any more.
 */
export function withTask<T>(work: (started: Started) => Promise<T>): Promise<T> & Task {
  const calls: Array<(task: any) => void> = []
  let current: any
  let aborted = false
  const promise: any = work((task) => {
    current = task
    for (const call of calls) call(task)
    return aborted
  })
  for (const name of methods) {
    promise[name] = (...args: any[]) => {
      const call = (task: any) => { if (task && task[name]) task[name](...args) }
      calls.push(call)
      call(current)
      aborted = aborted || name === 'abort'
    }
  }
  return promise
}

/** Reports a promise to callbacks of the host's style too, if there are any. */
export function withCallbacks<P extends Promise<any>>(promise: P, options: any): P {
  const { success, fail, complete } = options
  const settled = (callback: any) => (result: any) => {
    if (callback) callback(result)
    if (complete) complete(result)
  }
  promise.then(settled(success), settled(fail))
  return promise
}
