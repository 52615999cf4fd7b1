// wafer-node-sdk keeps its sessions in MySQL, by way of knex. Here is the part of knex that it
// uses, over an array: what is tested is what it says to WeChat. The SDK itself is unedited.
const Module = require('node:module')

const rows = []
const matches = (row, where) => Object.entries(where).every(([name, value]) => row[name] === value)

class Query {
	count() { return this.with((found) => [{ hasUser: found.length }]) }
	select() { return this.with((found) => found) }
	first() { return this.with((found) => found[0]) }
	update(values) { return this.with((found) => found.forEach((row) => Object.assign(row, values))) }
	insert(row) { return Promise.resolve(rows.push(row)) }
	where(where) { this.condition = where; return this }
	with(result) { this.result = result; return this }
	then(done, failed) {
		const found = rows.filter((row) => matches(row, this.condition))
		return Promise.resolve(this.result(found)).then(done, failed)
	}
}

const load = Module._load
Module._load = function (request, ...rest) {
	return request === 'knex' ? () => () => new Query() : load.call(this, request, ...rest)
}
