// src/host.ts
var HostError = class extends Error {
  constructor(failure) {
    const { errMsg, message, errno } = failure || {};
    super(String(errMsg || message || failure));
    Object.assign(this, { name: "HostError", errMsg: this.message, errno });
  }
};
function extended(object, more) {
  return Object.assign({}, object, more);
}
function callHost(host, name, options, started) {
  return new Promise((resolve, reject) => {
    const reason = typeof host[name] !== "function" ? "not supported" : started && started() && "abort";
    if (reason) throw new HostError({ errMsg: name + ":fail " + reason });
    const task = host[name](extended(options, {
      success: resolve,
      fail: (failure) => reject(new HostError(failure)),
      complete: void 0
    }));
    if (task && typeof task.catch === "function") task.catch(ignore);
    if (started) started(task);
  });
}
function defaultHost() {
  const hosts = [typeof wx !== "undefined" && wx, typeof tt !== "undefined" && tt, typeof qq !== "undefined" && qq, typeof uni !== "undefined" && uni];
  for (const host of hosts) if (host && host.request) return host;
  throw new TypeError("no wx, tt, qq or uni found: pass the host");
}
var language = "";
function readLanguage(host) {
  try {
    language = host.getAppBaseInfo().language;
  } catch (missing) {
  }
}
function say(english, chinese) {
  return /^zh/.test(language) ? chinese : english;
}
function ignore() {
}

// src/problem.ts
var GateError = class extends Error {
  constructor(statusCode, code, detail, more) {
    super(code + ": " + detail);
    Object.assign(this, more, { name: "GateError", statusCode, code, detail });
  }
};
function refusal(response) {
  if (response.statusCode < 400) return null;
  const problem = parsed(response.data);
  if (!problem || String(problem.type).split("#")[1] !== "code-" + problem.code) return null;
  const header = response.header || {};
  const name = Object.keys(header).find((name2) => /^retry-after$/i.test(name2));
  return new GateError(response.statusCode, problem.code, problem.detail || "", {
    errcode: problem.errcode,
    requestId: problem.instance,
    retryAfter: Number(name && header[name]) || void 0
  });
}
function isRefusal(failure, codes) {
  return codes.test(failure.code);
}
function isReadable(response) {
  return !!parsed(response.data);
}
function unexpected(response) {
  return new GateError(
    response.statusCode,
    "unexpected_response",
    say("Not a response of wxgate. Check baseURL and prefix.", "响应不是来自 wxgate，请检查 baseURL 和 prefix")
  );
}
function parsed(data) {
  const bytes = data && data.byteLength >= 0;
  if (data && typeof data === "object" && !bytes) return data;
  try {
    return JSON.parse(bytes ? utf8(data) : data);
  } catch (notJSON) {
    return null;
  }
}
function utf8(data) {
  let escaped = "";
  new Uint8Array(data).forEach((byte) => {
    escaped += "%" + (byte + 256).toString(16).slice(1);
  });
  return decodeURIComponent(escaped);
}

// src/retry.ts
var attempts = 3;
var longestWait = 5;
async function waitAfter(failure, attempt, repeatable) {
  const asked = failure.retryAfter || 0;
  if (attempt >= attempts || asked > longestWait || !repeatable(failure)) throw failure;
  await new Promise((done) => {
    setTimeout(done, Math.max(asked, attempt) * 1e3);
  });
}
async function repeating(call, repeatable) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await call();
    } catch (failure) {
      await waitAfter(failure, attempt, repeatable);
    }
  }
}
var repeatSame = (failure) => !(failure instanceof GateError) || failure.code === "unexpected_response" || failure.statusCode >= 500;
var repeatLogin = (failure) => failure instanceof HostError ? failure.errMsg.indexOf("login:") !== 0 : isRefusal(failure, /^(invalid_code|code_used|rate_limited|store_unavailable|wechat_.*|unexpected_response)$/);
var repeatRequest = (failure) => isRefusal(failure, /^(store_unavailable|rate_limited)$/);
var repeatPhoneCode = (failure) => isRefusal(failure, /^store_unavailable$/);

// src/call.ts
var renewals = {
  token_expired: "access",
  invalid_token: "access",
  session_revoked: "login",
  refresh_reused: "login",
  session_replaced: "login",
  // if the user has logged in again since
  login_too_old: "login"
};
async function callWithTokens(session, call) {
  const renewed = {};
  let tokens = await session.current();
  for (let attempt = 1; ; ) {
    const response = await call.send(tokens);
    const refused = await call.read(response, tokens);
    if (!refused) return { response, tokens };
    if (refused.code === "session_replaced") await session.replaced(tokens, refused);
    const what = renewals[refused.code];
    if (what && !renewed[what]) {
      renewed[what] = true;
      tokens = await session.renew(tokens, what);
      continue;
    }
    await waitAfter(refused, attempt++, call.repeatable || repeatRequest);
    tokens = await session.current();
  }
}

// src/events.ts
function createEvents() {
  const listeners = {};
  return {
    on(name, listener) {
      listeners[name] = (listeners[name] || []).concat(listener);
      return () => {
        listeners[name] = listeners[name].filter((other) => other !== listener);
      };
    },
    emit(name, event) {
      for (const listener of listeners[name] || []) {
        try {
          listener(event);
        } catch (thrown) {
          setTimeout(() => {
            throw thrown;
          }, 0);
        }
      }
    }
  };
}

// src/urls.ts
function createURLs(baseURL, prefix) {
  const base = baseURL.replace(/\/+$/, "");
  if (!/^https?:\/\/[^/?#][^?#]*$/.test(base)) throw new TypeError("baseURL must be an http or https URL");
  if (prefix[0] !== "/") throw new TypeError("prefix must begin with /");
  const below = (start, url) => {
    if (url[0] === "/") return start + url;
    if (url.indexOf(start + "/") === 0) return url;
    throw new TypeError("url must be a path, or begin with " + start + "/");
  };
  return {
    call: (name) => base + prefix.replace(/\/+$/, "") + "/" + name,
    request: (url) => below(base, url),
    socket: (url) => below(base.replace(/^http/, "ws"), url)
  };
}
function withToken(header, token) {
  const sent = {};
  for (const name of Object.keys(header || {})) {
    if (name.toLowerCase() !== "authorization") sent[name] = header[name];
  }
  sent.Authorization = "Bearer " + token;
  return sent;
}

// src/gateway.ts
var timeout = 5e3;
function createGateway(host, urls, appid) {
  const post = async (name, data, header = {}) => {
    const response = await callHost(host, "request", { url: urls.call(name), method: "POST", data, timeout, header });
    const refused = refusal(response);
    if (refused) throw refused;
    if (response.statusCode >= 300) throw unexpected(response);
    return response;
  };
  return {
    async login() {
      const { code } = await callHost(host, "login", { timeout: 2 * timeout });
      const response = await post("openId", { code, appid });
      const { openId, unionId, appId, session_key: sessionKey } = response.data;
      return { identity: { openId, unionId, appId, sessionKey }, pair: pairOf(response) };
    },
    refresh: async (tokens) => pairOf(await post("refresh", { refresh_token: tokens.refresh })),
    logout: (tokens, all) => post("logout", { all }, withToken({}, tokens.access)),
    send: (name, options, tokens, started) => callHost(host, name, extended(options, { header: withToken(options.header, tokens.access) }), started)
  };
}
function pairOf(response) {
  const { access_token: access, refresh_token: refresh, expires_in: expiresIn } = response.data || {};
  if (!access || !refresh) throw unexpected(response);
  return { access, refresh, expiresIn };
}

// src/session.ts
function createSession(gateway, store, emit) {
  let change;
  const begin = (kind, work) => {
    const done = work();
    const begun = change = { kind, done };
    const end = () => {
      if (change === begun) change = void 0;
    };
    done.then(end, end);
    return done;
  };
  const keep = ({ identity, login }, pair) => store.save({ tokens: extended(pair, { receivedAt: Date.now(), login, identity }) });
  const ofLogin = ({ login }) => {
    const { tokens } = store.state;
    return tokens && tokens.login === login && tokens;
  };
  const logIn = async (silent) => {
    const { identity, pair } = await repeating(gateway.login, repeatLogin);
    if (await store.reload() && silent) return;
    await keep({ identity, login: Math.random() }, pair);
    emit("login", identity);
    return identity;
  };
  const refresh = async (tokens) => {
    try {
      const pair = await repeating(() => gateway.refresh(tokens), repeatSame);
      await store.reload();
      if (!ofLogin(tokens)) return;
      await keep(tokens, pair);
      emit("refresh", { expiresIn: pair.expiresIn });
    } catch (failure) {
      if (isUnauthorized(failure)) return failure;
      throw failure;
    }
  };
  const logInUnlessDone = async () => {
    if (!await store.reload()) return logIn(true);
  };
  const refreshUnlessDone = async (tokens) => {
    if (await store.reload()) return;
    const refused = await refresh(tokens);
    if (!refused) return;
    if (refused.code !== "session_replaced") await logIn();
    else await session.replaced(tokens, refused);
  };
  const logOut = async (all) => {
    await store.reload();
    if (store.state.loggedOut) return;
    for (let again = false, used; used = store.state.tokens; again = true) {
      const tokens = used;
      try {
        await repeating(() => gateway.logout(tokens, all), repeatSame);
        break;
      } catch (failure) {
        if (again || !isUnauthorized(failure)) throw failure;
        if (isRefusal(failure, /^(token_expired|invalid_token)$/) && !await refresh(tokens)) continue;
        if (!all) break;
        await logIn();
      }
    }
    await store.reload();
    await store.save({ loggedOut: true });
    emit("logout", { reason: "logout" });
  };
  const session = {
    async login() {
      await store.load();
      while (change) {
        const { kind, done } = change;
        const identity = await (kind === "login" ? done : done.catch(ignore));
        if (identity) return identity;
      }
      return begin("login", logIn);
    },
    async logout(all) {
      await store.load();
      while (change) await change.done.catch(ignore);
      await begin("logout", () => logOut(all));
    },
    async current() {
      await store.load();
      const tokens = store.state.tokens;
      if (!tokens || change && change.kind === "logout") return session.renew(void 0, "login");
      if (!expiresSoon(tokens)) return tokens;
      try {
        return await session.renew(tokens, "access");
      } catch (failure) {
        if (store.state.tokens !== tokens) throw failure;
        return tokens;
      }
    },
    async renew(used, what) {
      for (; ; ) {
        if (change && change.kind === "logout") {
          await change.done.catch(ignore);
          continue;
        }
        const { tokens, loggedOut } = store.state;
        if (loggedOut && !change) {
          if (await store.reload()) continue;
          throw loggedOutError();
        }
        if (tokens && (!used || tokens[what] !== used[what])) return tokens;
        if (change) await change.done;
        else if (tokens && what === "access") await begin(what, () => refreshUnlessDone(tokens));
        else await begin("login", logInUnlessDone);
      }
    },
    async replaced(used, refused) {
      if (change && change.kind === "login") await change.done.catch(ignore);
      await store.reload();
      if (!ofLogin(used)) return;
      await store.save({ loggedOut: true });
      emit("logout", { reason: "session_replaced" });
      throw loggedOutError(refused);
    },
    async adopt(used, access, expiresIn) {
      if (change) await change.done.catch(ignore);
      await store.reload();
      const tokens = ofLogin(used);
      if (tokens) await keep(tokens, { access, refresh: tokens.refresh, expiresIn });
    }
  };
  return session;
}
function isUnauthorized(failure) {
  return failure.statusCode === 401;
}
function expiresSoon({ receivedAt, expiresIn }) {
  return Date.now() - receivedAt >= (expiresIn - Math.min(30, expiresIn / 10)) * 1e3;
}
function loggedOutError(refused) {
  const { statusCode, detail } = refused || {
    statusCode: 0,
    detail: say("Logged out. Call login() when the user asks for it.", "已退出登录，请由用户触发 login()")
  };
  return new GateError(statusCode, "logged_out", detail, refused);
}

// src/state.ts
function hostStorage(host) {
  return {
    get: (key) => host.getStorageSync(key),
    set: (key, value) => host.setStorageSync(key, value),
    remove: (key) => host.removeStorageSync(key)
  };
}
function createStore(storage, key, emit) {
  let loading;
  const failed = (failure) => {
    emit("error", failure instanceof Error ? failure : new HostError(failure));
  };
  const store = {
    state: { serial: 0 },
    load: () => loading || (loading = store.reload()),
    async reload() {
      try {
        const stored = JSON.parse(await storage.get(key) || "{}");
        if (!(stored.serial > store.state.serial)) return false;
        store.state = stored;
        return true;
      } catch (failure) {
        failed(failure);
        return false;
      }
    },
    async save(next) {
      store.state = Object.assign({ serial: store.state.serial + 1 }, next);
      try {
        await storage.set(key, JSON.stringify(store.state));
      } catch (failure) {
        failed(failure);
        try {
          await storage.remove(key);
        } catch (again) {
          failed(again);
        }
      }
    }
  };
  return store;
}

// src/task.ts
var methods = ["abort"];
for (const event of ["HeadersReceived", "ProgressUpdate", "ChunkReceived"]) methods.push("on" + event, "off" + event);
function withTask(work) {
  const calls = [];
  let current;
  let aborted = false;
  const promise = work((task) => {
    current = task;
    for (const call of calls) call(task);
    return aborted;
  });
  for (const name of methods) {
    promise[name] = (...args) => {
      const call = (task) => {
        if (task && task[name]) task[name](...args);
      };
      calls.push(call);
      call(current);
      aborted = aborted || name === "abort";
    };
  }
  return promise;
}
function withCallbacks(promise, options) {
  const { success, fail, complete } = options;
  const settled = (callback) => (result) => {
    if (callback) callback(result);
    if (complete) complete(result);
  };
  promise.then(settled(success), settled(fail));
  return promise;
}

// src/web.ts
async function openWebView(ask, url) {
  const { data } = await ask("web/ticket", {});
  const ascii = url.replace(/[^!-~]+/g, encodeURIComponent);
  return data.url + "&return=" + encodeURIComponent(ascii);
}
async function confirmScan(ask, reported, scene) {
  const call = "web/scan/" + scanOf(scene);
  const { browser, address, place, expires_in: expiresIn } = (await ask(call + "/request")).data;
  const decide = async (decision) => {
    await ask(call, decision);
  };
  return {
    browser,
    address,
    place,
    expiresIn,
    confirm: (number) => reported(decide({ confirm: true, number })),
    refuse: () => reported(decide({ confirm: false }))
  };
}
function scanOf(scene) {
  let scan = "";
  try {
    scan = decodeURIComponent(scene);
  } catch (malformed) {
  }
  if (/^[\w-]{22}$/.test(scan)) return scan;
  throw new GateError(0, "scan_not_found", say("The scene names no scan.", "scene 不是登录码"));
}

// src/client.ts
function createClient(options) {
  const { baseURL, appid, prefix = "/v1.0/pub" } = options;
  const host = options.host || defaultHost();
  readLanguage(host);
  const urls = createURLs(baseURL, prefix);
  const gateway = createGateway(host, urls, appid);
  const { on, emit } = createEvents();
  const key = "wxgate " + (appid || "") + " " + urls.call("");
  const session = createSession(gateway, createStore(options.storage || hostStorage(host), key, emit), emit);
  const reported = (promise) => {
    promise.catch((failure) => emit("error", failure));
    return promise;
  };
  const readAny = async (response, tokens) => {
    if (response.statusCode === 401 && !isReadable(response)) {
      response = await gateway.send("request", { url: urls.call("session"), timeout }, tokens);
      if (response.statusCode !== 401) return null;
    }
    return refusal(response);
  };
  const transfer = (name) => (options2) => {
    const work = withTask(async (started) => {
      const sent = extended(options2, { url: urls.request(options2.url) });
      const called = await callWithTokens(session, {
        send: (tokens) => gateway.send(name, sent, tokens, started),
        read: readAny
      });
      return called.response;
    });
    return withCallbacks(reported(work), options2);
  };
  const ask = async (name, sent) => {
    let used;
    try {
      const { response, tokens } = await callWithTokens(session, {
        send: (tokens2) => gateway.send("request", { url: urls.call(name), method: sent ? "POST" : "GET", data: sent, timeout }, used = tokens2),
        read: refusal,
        repeatable: sent && sent.code && repeatPhoneCode
      });
      if (response.statusCode >= 300 || !isReadable(response)) throw unexpected(response);
      return { data: response.data, tokens };
    } catch (failure) {
      if (isRefusal(failure, /^(session_stale|decrypt_failed)$/)) await session.renew(used, "login").catch(ignore);
      throw failure;
    }
  };
  const dataOf = ({ data }) => data;
  const phone = async ({ code, encryptedData, iv, errMsg, errno }) => {
    if (!code && !encryptedData) throw new HostError({ errMsg: errMsg || "getPhoneNumber:fail no code", errno });
    const byData = () => ask("decode", { encryptedData, iv });
    const byCode = () => ask("decode", { code }).catch((failure) => {
      if (encryptedData && isRefusal(failure, /^invalid_request$/)) return byData();
      throw failure;
    });
    const { data, tokens } = await (code ? byCode() : byData());
    const { access_token: access, expires_in: expiresIn } = data;
    if (access) await session.adopt(tokens, access, expiresIn);
    delete data.access_token;
    delete data.token_type;
    delete data.expires_in;
    return data;
  };
  const connectSocket = async (options2) => {
    const url = urls.socket(options2.url);
    const { tokens } = await ask("session");
    return new Promise((resolve, reject) => {
      const task = host.connectSocket(extended(options2, {
        url,
        header: withToken(options2.header, tokens.access),
        fail(failure) {
          if (options2.fail) options2.fail(failure);
          reject(new HostError(failure));
        }
      }));
      if (task) resolve(task);
    });
  };
  return {
    on,
    login: () => reported(session.login()),
    logout: (how) => reported(session.logout(!!how && !!how.all)),
    request: transfer("request"),
    uploadFile: transfer("uploadFile"),
    downloadFile: transfer("downloadFile"),
    connectSocket: (socket) => reported(connectSocket(socket)),
    phone: (detail) => reported(phone(detail)),
    userInfo: (detail) => reported(ask("userInfo", detail).then(dataOf)),
    session: () => reported(ask("session").then(dataOf)),
    openWebView: (url) => reported(openWebView(ask, url)),
    confirmScan: (scene) => reported(confirmScan(ask, reported, scene))
  };
}
export {
  GateError,
  HostError,
  createClient
};
