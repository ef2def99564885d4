/**
 * Defines `Symbol.dispose` and `Symbol.asyncDispose` where a browser lacks them, as Safari does. They are the
 * symbols that code which esbuild or Babel made of `using` looks for then.
 */
for (const name of ["dispose", "asyncDispose"])
  if (!(name in Symbol)) Object.defineProperty(Symbol, name, { value: Symbol.for(`Symbol.${name}`) });
