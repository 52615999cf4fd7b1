'use strict';

// Runs one Wafer SDK, unmodified, with commands from standard input, one per line:
// login, loginWithCode, request <url>. The result of each is a line of JSON: {"value"}
// or {"error"}, with the requests of wx.request as "seen".
//
// node run.js <sdk> <management URL> <login URL> <user> <Referer>

const http = require('http');
const readline = require('readline');

const newWx = require('./wx.js');

const [sdk, management, loginUrl, user, referer] = process.argv.slice(2);

// After a reload, the old servers close their connections: a request on one of them would fail.
http.globalAgent = new http.Agent({ keepAlive: false });

global.wx = newWx({ management, user, referer });
console.error = () => {}; // wafer2-client-sdk prints failures there too

const qcloud = require(sdk);

qcloud.setLoginUrl(loginUrl);

function execute([command, url]) {
    return new Promise((resolve, reject) => {
        const options = { success: resolve, fail: reject };
        switch (command) {
        case 'request':
            qcloud.request(Object.assign(options, {
                url,
                success: (response) => resolve({ status: response.statusCode, data: response.data }),
            }));
            break;
        default:
            qcloud[command](options);
        }
    });
}

async function main() {
    for await (const line of readline.createInterface({ input: process.stdin })) {
        const result = await execute(line.split(' ')).then(
            (value) => ({ value }),
            (error) => ({ error: String(error.message || error.errMsg), type: error.type }),
        );
        result.seen = global.wx.seen.splice(0);
        process.stdout.write(`${JSON.stringify(result)}\n`);
    }
}

main();
