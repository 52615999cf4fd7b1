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

for (const name of ['index', 'cloud']) {
  const entryPoints = [join('src', name + '.ts')]
  await esbuild.build({ ...common, entryPoints, format: 'cjs', outfile: join(folder, 'dist', name + '.js') })
  await esbuild.build({ ...common, entryPoints, format: 'esm', outfile: join(folder, 'esm', name + '.mjs') })
  writeFileSync(join(folder, 'esm', name + '.d.mts'), `export * from '../dist/${name}.js'\n`)
}

const typescript = join(tools.resolve('typescript/package.json'), '..', 'bin', 'tsc')
execFileSync(process.execPath, [typescript, '-p', here, '--outDir', join(folder, 'dist')], { stdio: 'inherit' })

// What a mini program adds to its package: printed, so that a test can compare it with the limit.
for (const name of ['index', 'cloud']) {
  const { outputFiles } = await esbuild.build({
    ...common, entryPoints: [join('src', name + '.ts')], format: 'cjs', minify: true, write: false, outfile: 'minified.js',
  })
  console.log(`${name}.js ${outputFiles[0].contents.length}`)
}
