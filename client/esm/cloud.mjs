var __getOwnPropSymbols = Object.getOwnPropertySymbols;
var __hasOwnProp = Object.prototype.hasOwnProperty;
var __propIsEnum = Object.prototype.propertyIsEnumerable;
var __objRest = (source, exclude) => {
  var target = {};
  for (var prop in source)
    if (__hasOwnProp.call(source, prop) && exclude.indexOf(prop) < 0)
      target[prop] = source[prop];
  if (source != null && __getOwnPropSymbols)
    for (var prop of __getOwnPropSymbols(source)) {
      if (exclude.indexOf(prop) < 0 && __propIsEnum.call(source, prop))
        target[prop] = source[prop];
    }
  return target;
};

// src/task.ts
var methods = ["abort"];
for (const event of ["HeadersReceived", "ProgressUpdate", "ChunkReceived"]) methods.push("on" + event, "off" + event);
function withCallbacks(promise, options) {
  const { success, fail, complete } = options;
  const settled = (callback) => (result) => {
    if (callback) callback(result);
    if (complete) complete(result);
  };
  promise.then(settled(success), settled(fail));
  return promise;
}

// src/cloud.ts
function createCloud(client) {
  const cloud = {
    init: async () => {
    },
    callContainer(_a) {
      var _b = _a, { config, path } = _b, options = __objRest(_b, ["config", "path"]);
      return client.request(Object.assign(options, { url: pathOf(path) }));
    },
    connectContainer(_c) {
      var _d = _c, { config, path, service, success, fail, complete } = _d, options = __objRest(_d, ["config", "path", "service", "success", "fail", "complete"]);
      const header = service ? Object.assign({ "X-WX-SERVICE": service }, options.header) : options.header;
      const socket = client.connectSocket(Object.assign(options, { url: pathOf(path), header }));
      return withCallbacks(socket.then((socketTask) => ({ socketTask })), { success, fail, complete });
    }
  };
  cloud.Cloud = function() {
    return cloud;
  };
  return cloud;
}
function pathOf(path = "/") {
  return path[0] === "/" ? path : "/" + path;
}
export {
  createCloud
};
