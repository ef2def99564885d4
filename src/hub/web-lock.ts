import { throwIfAborted } from "../errors.js";

/** The part of Web Locks that this file uses. The types of the DOM are not among the compiler's. */
interface LockManager {
  request<T>(name: string, options: { readonly signal?: AbortSignal }, action: () => Promise<T>): Promise<T>;
}
declare const navigator: { readonly locks?: LockManager };

/**
 * Runs an action while no other tab of the site runs one of the same name. A page that has no locks, because
 * its address is not secure, runs it at once.
 *
 * @throws what the action throws; `signal.reason`.
 */
export async function withLock<T>(
  name: string,
  signal: AbortSignal | undefined,
  action: () => Promise<T>,
): Promise<T> {
  const { locks } = navigator;
  if (locks === undefined) return action();
  try {
    return await locks.request(`bitnet-wasm ${name}`, signal === undefined ? {} : { signal }, action);
  } catch (error) {
    throwIfAborted(signal);
    throw error;
  }
}
