import { writeFile } from "node:fs/promises";
import { configurationPage } from "./guide/configuration-page.ts";

// `npm run gen:docs`: docs/configuration.md, or the file that is named, from the code that reads the settings.

await writeFile(process.argv[2] ?? "docs/configuration.md", await configurationPage());
