'use strict';

// Runs one Wafer SDK, unmodified, on orders from standard input, one a line:
// login, loginWithCode, request <url>. Each is answered with a line of JSON:
// {"value"} or {"error"}, and what wx.request sent meanwhile as "seen".
//
// node run.js <sdk> <management URL> <login URL> <user> <Referer>

const http = require('http');
const readline = require('readline');

const newWx = require('./wx.js');

const [sdk, management, loginUrl, user, referer] = process.argv.slice(2);

// A request on a connection that the old servers are about to close after a reload would fail.
http.globalAgent = new http.Agent({ keepAlive: false });

global.wx = newWx({ management, user, referer });
console.error = () => {}; // wafer2-client-sdk tells of failures there too

const qcloud = require(sdk);

qcloud.setLoginUrl(loginUrl);

function obey([order, url]) {
    return new Promise((resolve, reject) => {
        const options = { success: resolve, fail: reject };
        switch (order) {
        case 'request':
            qcloud.request(Object.assign(options, {
                url,
                success: (response) => resolve({ status: response.statusCode, data: response.data }),
            }));
            break;
        default:
            qcloud[order](options);
        }
    });
}

async function main() {
    for await (const line of readline.createInterface({ input: process.stdin })) {
        const answer = await obey(line.split(' ')).then(
            (value) => ({ value }),
            (error) => ({ error: String(error.message || error.errMsg), type: error.type }),
        );
        answer.seen = global.wx.seen.splice(0);
        process.stdout.write(`${JSON.stringify(answer)}\n`);
    }
}

main();
