/// <reference path="../src/wasm/webassembly.d.ts" />
