/** Which server is called, and as whom: with an API key, or with a member's access token, which names the tenant besides. */
export type Access =
  | { url: string | URL; apiKey: string }
  | {
      url: string | URL;
      accessToken: string;
      /** `ten_...`, or `live` or `test`, the organization's two. */
      tenant: string;
    };

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
  if ("apiKey" in access) {
    if (!access.apiKey) throw new TypeError("apiKey is empty");
    return { baseUrl, headers: { authorization: `Bearer ${access.apiKey}` } };
  }
  if (!access.accessToken) throw new TypeError("accessToken is empty");
  if (!access.tenant) throw new TypeError("tenant is empty: a member's token has to name one");
  return { baseUrl, headers: { authorization: `Bearer ${access.accessToken}`, "x-usageflow-tenant": access.tenant } };
}
