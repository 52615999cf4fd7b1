"use strict";
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

// src/cloud.ts
function createCloud(client) {
  const cloud = {
    init: async () => {
    },
    callContainer(_a) {
      var _b = _a, { config, path } = _b, options = __objRest(_b, ["config", "path"]);
      return client.request(Object.assign(options, { url: pathOf(path) }));
    },
    async connectContainer(_c) {
      var _d = _c, { config, path, service } = _d, options = __objRest(_d, ["config", "path", "service"]);
      const header = service ? Object.assign({ "X-WX-SERVICE": service }, options.header) : options.header;
      return { socketTask: await client.connectSocket(Object.assign(options, { url: pathOf(path), header })) };
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

// src/src/cloud.cjs
Object.defineProperty(exports, "__esModule", { value: true });
exports.createCloud = createCloud;
