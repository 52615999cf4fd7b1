// Runs a mini program as WeChat does: its files see App, Page and wx, and require other files.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const published = createRequire(import.meta.url)

/** Loads the mini program in a folder. `replaced` has modules by their paths in the folder. */
export function loadProgram(folder, wx, replaced = {}) {
  const modules = new Map(Object.entries(replaced).map(([name, value]) => [join(folder, name), { exports: value }]))
  const config = JSON.parse(readFileSync(join(folder, 'app.json'), 'utf8'))
  const program = { config, app: null, pages: {} }
  let loading = ''

  function load(file) {
    if (modules.has(file)) return modules.get(file).exports
    const module = { exports: {} }
    modules.set(file, module)
    const require = (name) => {
      if (!name.startsWith('.')) return published(name)
      const target = join(dirname(file), name)
      return load(target.endsWith('.js') ? target : target + '.js')
    }
    const App = (options) => { program.app = options }
    const Page = (options) => { program.pages[loading] = options }
    new Function('require', 'module', 'exports', 'App', 'Page', 'wx', readFileSync(file, 'utf8'))(require, module, module.exports, App, Page, wx)
    return module.exports
  }

  load(join(folder, 'app.js'))
  for (loading of config.pages) load(join(folder, loading + '.js'))
  program.app.onLaunch()

  /** Opens a page: a copy of its options, with setData. */
  program.open = (name) => {
    const page = Object.create(program.pages[name])
    page.data = structuredClone(program.pages[name].data)
    page.setData = (changes) => Object.assign(page.data, structuredClone(changes))
    return page
  }
  return program
}
