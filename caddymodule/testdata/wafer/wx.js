'use strict';

// A replacement for the wx of a mini program, with the functions that the Wafer SDKs
// use. It calls the simulator instead of WeChat. Like the real wx.request, it passes
// responses of every status to success, and parses bodies of every type.

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

// ask calls the simulator, whose response must be 200.
async function ask(url) {
    const response = await send(url);
    if (response.statusCode !== 200) {
        throw new Error(`${url}: ${response.statusCode} ${response.text}`);
    }
    return response.text;
}

module.exports = function newWx({ management, user, referer }) {
    const storage = new Map();
    const seen = []; // the requests of wx.request since the last read
    let sessionKey = ''; // WeChat's session_key of the last wx.login

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
            settle(send(options.url, { method: options.method, header }).then((response) => {
                seen.push({ url: options.url, status: response.statusCode, header: options.header });
                return { data: parsed(response.text), statusCode: response.statusCode, header: response.header };
            }), options);
        },

        // The SDKs register handlers here when they are loaded.
        onSocketOpen() {},
        onSocketMessage() {},
        onSocketClose() {},
        onSocketError() {},

        // The real storage keeps copies, and returns '' for a missing key.
        getStorageSync: (key) => (storage.has(key) ? JSON.parse(storage.get(key)) : ''),
        setStorageSync: (key, value) => { storage.set(key, JSON.stringify(value)); },
        removeStorageSync: (key) => { storage.delete(key); },
    };
};
