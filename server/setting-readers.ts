import { isCidr } from "./cidr.ts";
import { weaknessOf } from "./weak-key.ts";

// What timers and PostgreSQL take: a timer that is set for longer ends at once.
const INTEGER_MAX = 2 ** 31 - 1;
/** A hundred years, in days: for what is compared with clocks. */
export const DAYS_MAX = 36_500;
/** The same in milliseconds. */
export const TIME_MAX = DAYS_MAX * 86_400_000;
/** Largest port. */
export const PORT_MAX = 65_535;

/** Readers of settings from an environment, one for each kind of value. What is wrong they say in `problems`. */
export function settingReaders(env: Record<string, string | undefined>, problems: string[]) {
  const text = (name: string, fallback?: string): string => {
    const value = env[name] || fallback;
    if (value === undefined) problems.push(`${name} is not set`);
    return value ?? "";
  };
  const integer = (name: string, fallback: number, min = 1, max = INTEGER_MAX): number => {
    const value = env[name];
    if (!value) return fallback;
    const number = Number(value);
    if (Number.isSafeInteger(number) && number >= min && number <= max) return number;
    problems.push(`${name} must be a whole number from ${min} to ${max}, and is "${value}"`);
    return fallback;
  };
  const schedule = (name: string, fallback: readonly number[]): readonly number[] => {
    const value = env[name];
    if (!value) return fallback;
    if (/^\d{1,7}(,\d{1,7}){0,99}$/.test(value)) return [0, ...value.split(",").map((part) => Number(part) * 1_000)];
    problems.push(`${name} must be up to 100 whole numbers of seconds such as 5,300,1800, and is "${value}"`);
    return fallback;
  };
  const list = (name: string): string[] => (env[name] ?? "").split(",").flatMap((part) => part.trim() || []);
  const cidrs = (name: string): readonly string[] => {
    const all = list(name);
    const wrong = all.filter((one) => !isCidr(one));
    for (const one of wrong) problems.push(`${name} must be ranges such as 10.0.0.0/8,fd00::/8, and has "${one}"`);
    return all;
  };
  const origins = (name: string): readonly string[] => {
    const all = list(name);
    const wrong = all.filter((one) => URL.parse(one)?.origin !== one || !/^https?:/.test(one));
    for (const one of wrong) problems.push(`${name} must be origins such as https://app.example.com, and has "${one}"`);
    return all;
  };
  const onOff = (name: string, fallback: boolean): boolean => {
    const value = env[name];
    if (!value || value === "on" || value === "off") return value ? value === "on" : fallback;
    problems.push(`${name} must be on or off, and is "${value}"`);
    return fallback;
  };
  const key = (name: string): Buffer => {
    const weakness = weaknessOf(env[name]);
    if (weakness) problems.push(`${name} ${weakness}`);
    return Buffer.from(env[name] ?? "", "base64");
  };
  const keys = (name: string): readonly Buffer[] => {
    const all = list(name);
    for (const weakness of all.flatMap((one) => weaknessOf(one) ?? []))
      problems.push(`each key of ${name} ${weakness}`);
    return all.map((one) => Buffer.from(one, "base64"));
  };
  return { text, integer, schedule, cidrs, origins, onOff, key, keys };
}
