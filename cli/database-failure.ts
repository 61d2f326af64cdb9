import { CliError } from "./cli-error.ts";

const UNREACHABLE = /^(ECONN[A-Z]+|ENOTFOUND|ETIMEDOUT|EHOSTUNREACH|EAI_AGAIN|08...|53300|57P0.)$/;
const LOGIN_REFUSED = /^28...$/;
const NO_DATABASE = "3D000";
const NO_TABLE = "42P01";
const NOT_ALLOWED = "42501";

const LOGINS = "Is it the URL of the right login? The owner's, the servers' and the workers' are three.";
const MIGRATE = "Run first, with the owner's URL: usageflow migrate";

/** What became of a connection to the database, or of a statement, as people are told. Undefined: something else. */
export function databaseFailure(error: Error): CliError | undefined {
  if (error.name === "SchemaError") return new CliError("failed_precondition", error.message, {}, error);
  if (error.name === "KeysError") {
    const hint = "See what depends on which, with the owner's URL: usageflow secrets show";
    return new CliError("failed_precondition", error.message, { hint }, error);
  }
  if (error.name === "LoginError") return new CliError("permission_denied", error.message, { hint: LOGINS }, error);
  const code = "code" in error ? String(error.code) : "";
  const words = error instanceof AggregateError ? error.errors.map(({ message }) => message).join("; ") : error.message;
  if (UNREACHABLE.test(code)) {
    const hint = "Is it running, and is its URL right?";
    return new CliError("unavailable", `the database cannot be reached: ${words}`, { hint }, error);
  }
  if (LOGIN_REFUSED.test(code)) {
    const hint = "Look at the login and the password in its URL.";
    return new CliError("unauthenticated", `the database refuses the login: ${words}`, { hint }, error);
  }
  if (code === NO_DATABASE) {
    return new CliError("not_found", `${words} on this server`, { hint: "Make it, or correct its URL." }, error);
  }
  if (code === NO_TABLE) {
    const schema = "the database has no schema yet, or an older one";
    return new CliError("failed_precondition", `${schema}: ${words}`, { hint: MIGRATE }, error);
  }
  if (code === NOT_ALLOWED) {
    return new CliError("permission_denied", `the database does not allow it: ${words}`, { hint: LOGINS }, error);
  }
  return undefined;
}
