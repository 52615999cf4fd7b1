// Calls of co-wechat-api and co-wechat-oauth, whose URLs are fixed. The argument is JSON: an
// official account and two codes of its web login.
const API = require('co-wechat-api')
const OAuth = require('co-wechat-oauth')
const given = JSON.parse(process.argv[2])

const fails = (promise) => promise.then(() => 'no error', (error) => error.message)

async function run() {
	const api = new API(given.appid, given.secret)
	const { accessToken: token } = await api.getAccessToken()
	const { ticket } = await api.getTicket()
	const addresses = await api.getIp()
	const unknown = await fails(api.getMenu())
	const oauth = new OAuth(given.appid, given.secret)
	const { data: login } = await oauth.getAccessToken(given.code)
	const again = await fails(oauth.getAccessToken(given.code))
	const profile = await oauth.getUserByCode(given.code2)
	const { data: refreshed } = await oauth.refreshAccessToken(login.refresh_token)
	const valid = await oauth.verifyToken(login.openid, login.access_token)
	return { token, ticket, addresses, unknown, login, again, profile, refreshed, valid }
}

run().then((value) => console.log(JSON.stringify({ value })), (error) => console.log(JSON.stringify({ error: error.message })))
