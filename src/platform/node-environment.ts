/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The variables of this process. Later changes are visible. */
export function hostEnvironment(): Environment {
  return process.env;
}
