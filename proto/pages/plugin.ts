import { createEcmaScriptPlugin, runNodeJs } from "@bufbuild/protoplugin";
import { openApi } from "./openapi.ts";
import { servicePage, typesPage } from "./reference.ts";

// Makes the pages about the contract, docs/reference: run by `buf generate`, like the code in gen/.

const PACKAGE = "usageflow.v1";

runNodeJs(
  createEcmaScriptPlugin({
    name: "usageflow-pages",
    version: "v1",
    generateTs(schema) {
      const files = schema.files.filter((file) => file.proto.package === PACKAGE);
      const write = (name: string, text: string) => schema.generateFile(name).print(text.trimEnd());
      for (const service of files.flatMap((file) => file.services)) {
        write(`${service.name.replace("Service", "").toLowerCase()}.md`, servicePage(service));
      }
      write("types.md", typesPage(files));
      write("openapi.yaml", openApi(files));
    },
  }),
);
