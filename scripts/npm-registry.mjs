// For checks that install packages of their own: continuous integration has no registry on some machines.

/** npm's codes for a registry that does not answer. A refused or unknown package is a fault. */
const noAnswer =
  /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT|FETCH_ERROR)\b/;

/**
 * With `--skip-offline`, ends the process with success if npm could not reach its registry, and says so.
 *
 * @param subject what is not done then
 * @param output what npm wrote
 */
export function endIfOffline(subject, output) {
  if (!process.argv.includes("--skip-offline") || !noAnswer.test(output)) return;
  console.log(`${subject}: NOT DONE, because the npm registry did not answer`);
  process.exit(0);
}
