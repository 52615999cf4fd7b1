// Builds the package into a folder: node build.mjs <folder>
//
// dist has CommonJS, which mini programs load, and the types; esm has ES modules. The tools
// are esbuild and TypeScript, from node_modules or from the folder in CLIENT_TOOLS.

import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))
const [folder] = process.argv.slice(2)
const tools = createRequire(join(process.env.CLIENT_TOOLS || here, 'package.json'))
const esbuild = tools('esbuild')

const common = {
  absWorkingDir: here,
  bundle: true,
  charset: 'utf8',
  target: 'es2017', // iOS 10.3, Android with Chrome 55; no polyfill
  legalComments: 'none',
  tsconfig: 'tsconfig.json',
  platform: 'neutral',
}

/** The names that a module exports. */
async function exportsOf(name) {
  const { metafile } = await esbuild.build({ ...common, entryPoints: [join('src', name + '.ts')], format: 'esm', write: false, metafile: true })
  return Object.values(metafile.outputs)[0].exports
}

/**
 * Options that bundle a module as CommonJS. Its exports are assigned one by one: what esbuild
 * writes for the exports of an ES module takes 390 bytes more, in every mini program.
 */
async function commonJS(name) {
  const names = await exportsOf(name)
  const assignments = names.map((exported) => `exports.${exported} = ${exported}\n`)
  const contents = `import { ${names} } from './${name}'\nObject.defineProperty(exports, '__esModule', { value: true })\n` + assignments.join('')
  return { ...common, format: 'cjs', stdin: { contents, resolveDir: join(here, 'src'), sourcefile: `src/${name}.cjs` } }
}

for (const name of ['index', 'cloud']) {
  await esbuild.build({ ...await commonJS(name), outfile: join(folder, 'dist', name + '.js') })
  await esbuild.build({ ...common, entryPoints: [join('src', name + '.ts')], format: 'esm', outfile: join(folder, 'esm', name + '.mjs') })
  writeFileSync(join(folder, 'esm', name + '.d.mts'), `export * from '../dist/${name}.js'\n`)
}

const typescript = join(tools.resolve('typescript/package.json'), '..', 'bin', 'tsc')
execFileSync(process.execPath, [typescript, '-p', here, '--outDir', join(folder, 'dist')], { stdio: 'inherit' })

// What a mini program adds to its package: printed, so that a test can compare it with the limit.
for (const name of ['index', 'cloud']) {
  const { outputFiles } = await esbuild.build({ ...await commonJS(name), minify: true, write: false })
  console.log(`${name}.js ${outputFiles[0].contents.length}`)
}
