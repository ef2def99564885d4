// The part of the WebAssembly JavaScript API that this project uses. TypeScript ships it only with the DOM.
// The DOM's globals (window, document, …) would then pass the type check in code that must run without them.
declare namespace WebAssembly {
  /** Compiled code; opaque. */
  interface Module {
    readonly [Symbol.toStringTag]: "WebAssembly.Module";
  }
  const Module: new (bytes: Uint8Array<ArrayBuffer>) => Module;
  class Memory {
    constructor(descriptor: { initial: number; maximum: number; shared: boolean });
    readonly buffer: ArrayBufferLike;
    /** @throws RangeError beyond the maximum, or if the host has no room. */
    grow(pages: number): number;
  }
  function validate(bytes: Uint8Array<ArrayBuffer>): boolean;
  function compile(bytes: Uint8Array<ArrayBuffer>): Promise<Module>;
}
