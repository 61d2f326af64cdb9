import { writeFile } from "node:fs/promises";
import { rolePage } from "./guide/role-page.ts";

// `npm run gen:docs`: docs/roles.md, or the file that is named, from the contract.

await writeFile(process.argv[2] ?? "docs/roles.md", await rolePage());
