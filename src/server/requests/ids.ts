/** A new id of an answer or of a part of it, such as "call_0f3a…". @param prefix with its separator. */
export function newId(prefix: string): string {
  return prefix + crypto.randomUUID().replaceAll("-", "");
}
