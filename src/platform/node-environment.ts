/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The variables of this process; a change of one is seen. */
export function hostEnvironment(): Environment {
  return process.env;
}
