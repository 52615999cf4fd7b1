export * from '../dist/cloud.js'
