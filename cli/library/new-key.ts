/**
 * A new idempotency key: a UUIDv7. It begins with the time, so that keys that are made together are stored side by side,
 * which costs the server's database less than keys at random.
 */
export function newKey(): string {
  const time = Date.now().toString(16).padStart(12, "0");
  const random = crypto.randomUUID(); // its version digit and what comes before it give way
  return `${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(15)}`;
}
