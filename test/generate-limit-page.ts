import { writeFile } from "node:fs/promises";
import { limitPage } from "./guide/limit-page.ts";

// `npm run gen:docs`: docs/limits.md, or the file that is named, from what the server reads.

await writeFile(process.argv[2] ?? "docs/limits.md", limitPage());
