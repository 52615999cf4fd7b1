'use strict';

// A stand-in for the wx of a mini program: what the Wafer SDKs use of it, with
// the simulator in the place of WeChat. Like the real one, wx.request hands
// answers of any status to success, and parses bodies whatever their type.

const crypto = require('crypto');
const http = require('http');

function send(url, { method = 'GET', header = {} } = {}) {
    return new Promise((resolve, reject) => {
        const request = http.request(url, { method, headers: header }, (response) => {
            const chunks = [];
            response.on('data', (chunk) => chunks.push(chunk));
            response.on('error', reject);
            response.on('end', () => resolve({
                statusCode: response.statusCode,
                header: response.headers,
                text: Buffer.concat(chunks).toString('utf8'),
            }));
        });
        request.on('error', reject);
        request.end();
    });
}

function parsed(text) {
    try {
        return JSON.parse(text);
    } catch (notJSON) {
        return text;
    }
}

// ask asks the simulator, which must know the answer.
async function ask(url) {
    const answer = await send(url);
    if (answer.statusCode !== 200) {
        throw new Error(`${url}: ${answer.statusCode} ${answer.text}`);
    }
    return answer.text;
}

module.exports = function newWx({ management, user, referer }) {
    const storage = new Map();
    const seen = []; // what wx.request sent, since it was last asked
    let sessionKey = ''; // WeChat's, of the last wx.login

    const query = () => `user=${encodeURIComponent(user)}&session_key=${encodeURIComponent(sessionKey)}`;
    const settle = (promise, { success, fail, complete }) => promise.then(
        (value) => { (success || (() => {}))(value); (complete || (() => {}))(value); },
        (error) => { (fail || (() => {}))({ errMsg: String(error) }); (complete || (() => {}))(error); },
    );

    return {
        seen,

        login(options) {
            sessionKey = crypto.randomBytes(16).toString('base64');
            settle(ask(`${management}/code?${query()}`).then((code) => ({ code })), options);
        },

        getUserInfo(options) {
            settle(ask(`${management}/encrypted-profile?${query()}`).then((text) => {
                const profile = JSON.parse(text);
                return {
                    userInfo: JSON.parse(profile.raw_data),
                    rawData: profile.raw_data,
                    signature: profile.signature,
                    encryptedData: profile.encrypted_data,
                    iv: profile.iv,
                };
            }), options);
        },

        checkSession({ success }) {
            success({ errMsg: 'checkSession:ok' });
        },

        request(options) {
            const header = Object.assign({ Referer: referer }, options.header);
            settle(send(options.url, { method: options.method, header }).then((answer) => {
                seen.push({ url: options.url, status: answer.statusCode, header: options.header });
                return { data: parsed(answer.text), statusCode: answer.statusCode, header: answer.header };
            }), options);
        },

        // The SDKs' tunnels listen to these as soon as they are loaded.
        onSocketOpen() {},
        onSocketMessage() {},
        onSocketClose() {},
        onSocketError() {},

        // The real storage keeps copies, and answers '' for what it has not.
        getStorageSync: (key) => (storage.has(key) ? JSON.parse(storage.get(key)) : ''),
        setStorageSync: (key, value) => { storage.set(key, JSON.stringify(value)); },
        removeStorageSync: (key) => { storage.delete(key); },
    };
};
