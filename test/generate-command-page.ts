import { writeFile } from "node:fs/promises";
import { commandPage } from "./guide/command-page.ts";

// `npm run gen:docs`: docs/cli.md, or the file that is named, from the commands that were built.

await writeFile(process.argv[2] ?? "docs/cli.md", await commandPage());
