/** The variables with which an application finds an emulator. */
export interface Variables {
  USAGEFLOW_URL: string;
  USAGEFLOW_API_KEY: string;
  USAGEFLOW_WEBHOOK_SECRET: string;
}

/** How variables are written. */
export const FORMATS = ["dotenv", "shell", "json"] as const;

/** The variables of an emulator. */
export function emulatorVariables(emulator: { url: string; apiKey: string; webhookSecret: string }): Variables {
  return {
    USAGEFLOW_URL: emulator.url,
    USAGEFLOW_API_KEY: emulator.apiKey,
    USAGEFLOW_WEBHOOK_SECRET: emulator.webhookSecret,
  };
}

/** Variables as text. None of the values has a character that a shell or a .env file would take for its own, quoted or not. */
export function write(variables: Variables, format: (typeof FORMATS)[number]): string {
  if (format === "json") return JSON.stringify(variables, null, 2);
  const lines = Object.entries(variables);
  return lines
    .map(([name, value]) => (format === "shell" ? `export ${name}='${value}'` : `${name}=${value}`))
    .join("\n");
}
