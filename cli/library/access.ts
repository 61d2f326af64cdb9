/** Called with an API key, which is of one tenant. */
export interface KeyAccess {
  url: string | URL;
  apiKey: string;
}

/** Called as a member of an organization. */
export interface TokenAccess {
  url: string | URL;
  /** `uf_pat_...` */
  accessToken: string;
  /** `ten_...`, or `live` or `test`, the organization's two. Left out for what concerns the organization itself. */
  tenant?: string;
}

/** Which server is called, and as whom. */
export type Access = KeyAccess | TokenAccess;

/** What a server is called with: its address without a slash at the end, and the headers that say who calls. */
export interface Door {
  baseUrl: string;
  headers: Record<string, string>;
}

/** Reads who calls whom. Throws a TypeError: what is missing here would otherwise be found out when usage is lost. */
export function openDoor(access: Access): Door {
  const url = URL.canParse(String(access.url)) ? new URL(access.url) : undefined;
  if (!url || !/^https?:$/.test(url.protocol))
    throw new TypeError(`url: an http or https URL, and not "${access.url}"`);
  const baseUrl = `${url.origin}${url.pathname}`.replace(/\/+$/, "");
  const secret = "apiKey" in access ? access.apiKey : access.accessToken;
  if (!secret) throw new TypeError(`${"apiKey" in access ? "apiKey" : "accessToken"} is empty`);
  if (!/^[\x21-\x7e]+$/.test(secret.trim())) throw new TypeError("a key has printable characters alone");
  const headers: Record<string, string> = { authorization: `Bearer ${secret.trim()}` };
  if ("tenant" in access && access.tenant) headers["x-usageflow-tenant"] = access.tenant;
  return { baseUrl, headers };
}
