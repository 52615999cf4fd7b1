// Calls of node-easywechat. The argument is JSON: the app, the addresses, the codes of a phone,
// and a folder for the SDK's cache.
const { MiniApp } = require('node-easywechat')
const given = JSON.parse(process.argv[2])

const app = new MiniApp({
	app_id: given.appid, secret: given.secret, use_stable_access_token: given.stable,
	http: { baseURL: given.api }, file_cache: { path: given.cache },
})

async function run() {
	const utils = app.getUtils()
	const login = await utils.codeToSession(given.code)
	const sealed = await (await fetch(given.encrypted)).json() // with the session_key of this login
	const plain = utils.decryptSession(login.session_key, sealed.iv, sealed.encrypted_data)
	const response = await app.getClient().postJson('/wxa/business/getuserphonenumber', { code: given.phoneCode })
	const again = await utils.codeToSession(given.code).catch((error) => error.message)
	return { login, plain, phone: response.toObject(), again }
}

run().then((value) => console.log(JSON.stringify({ value })), (error) => console.log(JSON.stringify({ error: error.message })))
