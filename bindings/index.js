'use strict';
/*
 * Loads the native addon. Owns nothing else: the typed surface is index.d.ts, the code is src/.
 */

const path = require('node:path');

// Compiled TypeScript that lies under build/ resolves `#bindings` to this same file, so the path is always relative to it.
const ADDON = path.join(__dirname, 'build', 'Release', 'xmcast_bindings.node');

function load() {
  try {
    return require(ADDON);
  } catch (cause) {
    const missing = cause.code === 'MODULE_NOT_FOUND' || /Cannot find module/.test(cause.message);
    const hint = missing ? 'it is not built' : cause.message;
    throw new Error(`load the native addon ${ADDON}: ${hint}; run deploy/bootstrap.sh`, { cause });
  }
}

module.exports = load();
