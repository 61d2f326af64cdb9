import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createHere } from "./run-here.ts";

// Published with the libraries of Svix.
const body = '{"test": 2432232314}';
const headers = ["--id", "msg_p5jXN8AQM9LWM0D4loKWxJek", "--timestamp", "1614265330"];
const v1 = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
const v1a = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==";
const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const publicKey = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";
const then = ["--at", "1614265330"];

async function verifier() {
  const { folder, run } = await createHere();
  const file = join(folder, "body.json");
  await writeFile(file, body);
  const verify = (secret: string, signature: string, more: string[] = then, input?: string) => {
    const payload = input === undefined ? file : "-";
    const args = ["webhooks", "verify", "--secret", secret, ...headers, "--signature", signature];
    return run([...args, "--payload", payload, ...more], input === undefined ? {} : { input });
  };
  return { file, run, verify };
}

test("a message verifies with its secret or its public key, from a file or from stdin", async () => {
  const { verify } = await verifier();
  const good = { code: 0, stdout: "Verified.\n", stderr: "" };
  expect(await verify(secret, v1)).toEqual(good);
  expect(await verify(publicKey, v1a, then, body)).toEqual(good);
  expect(await verify(secret, `${v1a} ${v1}`)).toEqual(good);
  const json = await verify(secret, v1, [...then, "--json"]);
  expect(json).toEqual({ code: 0, stdout: '{"verified":true}\n', stderr: "" });
});

test("a message that does not verify ends with 1, the check and the reason", async () => {
  const { file, run, verify } = await verifier();
  const told = async (run: Promise<{ code: number | null; stdout: string }>) => {
    const { code, stdout } = await run;
    return [code, /^Not verified \((\w+)\): .+\.\n$/s.exec(stdout)?.[1]];
  };
  const other = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
  expect(await told(verify(other, v1))).toEqual([1, "signature_mismatch"]);
  expect(await told(verify("nonsense", v1))).toEqual([1, "secret_malformed"]);
  expect(await told(verify(secret, v1.slice(3)))).toEqual([1, "signature_malformed"]);
  expect(await told(verify(secret, v1.slice(0, -1)))).toEqual([1, "signature_not_canonical"]);
  expect(await told(verify(publicKey, v1))).toEqual([1, "signature_of_other_kind"]);
  expect(await told(verify(secret, v1, ["--at", "1614265029"]))).toEqual([1, "timestamp_too_new"]);
  const old = await verify(secret, v1, []);
  expect(await told(Promise.resolve(old))).toEqual([1, "timestamp_too_old"]);
  expect(old.stderr).toBe("--at 1614265330 verifies it as of when it was sent.\n");
  const loose = headers.with(3, "1614265330abc");
  const args = ["webhooks", "verify", "--secret", secret, ...loose, "--signature", v1, "--payload", file, ...then];
  expect(await told(run(args))).toEqual([1, "timestamp_malformed"]);
  const changed = await verify(secret, v1, [...then, "--json"], `${body}\n`);
  expect([changed.code, JSON.parse(changed.stdout)]).toEqual([
    1,
    {
      verified: false,
      problem: "signature_mismatch",
      message:
        "the v1 signature is of another secret or of another message; the body was changed: what was signed has no line break at its end",
    },
  ]);
});

test("a payload that is not there is not found", async () => {
  const { file, run } = await verifier();
  const args = ["webhooks", "verify", "--secret", secret, ...headers, "--signature", v1, "--payload", `${file}.not`];
  expect(await run(args)).toMatchObject({ code: 4, stderr: expect.stringContaining("no such file") });
});
