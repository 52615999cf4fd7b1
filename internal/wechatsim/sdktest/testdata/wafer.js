// One login of wafer-node-sdk with the headers that Wafer's client sends, and a check of its
// session. The argument is JSON: {appid, secret, code, data, iv}.
require('./knex.js')
const given = JSON.parse(process.argv[2])

const { auth } = require('wafer-node-sdk')({
	appId: given.appid, appSecret: given.secret, useQcloudLogin: false, rootPathname: __dirname,
	cos: { region: 'none', fileBucket: 'none', uploadFolder: '' },
	serverHost: 'localhost', tunnelServerUrl: '', tunnelSignatureKey: 'none',
	qcloudAppId: 'none', qcloudSecretId: 'none', qcloudSecretKey: 'none', wxMessageToken: 'none',
	mysql: { host: 'none', port: 0, user: 'none', db: 'none', pass: 'none' },
})

async function run() {
	const login = await auth.authorization({ headers: { 'x-wx-code': given.code, 'x-wx-encrypted-data': given.data, 'x-wx-iv': given.iv } })
	const { skey } = login.userinfo
	const session = await auth.validation({ headers: { 'x-wx-skey': skey } })
	return { login, session }
}

run().then((value) => console.log(JSON.stringify({ value })), (error) => console.log(JSON.stringify({ error: error.message })))
