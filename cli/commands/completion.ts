import { Args } from "@oclif/core";
import { BaseCommand } from "../base-command.ts";
import { SHELLS, scripts } from "../completion/scripts.ts";

export default class Completion extends BaseCommand {
  static override summary = "Print the script that completes command lines in a shell.";
  static override description = `Put it where your shell reads it when it starts:

  bash: echo 'source <(usageflow completion bash)' >> ~/.bashrc
  zsh:  echo 'source <(usageflow completion zsh)' >> ~/.zshrc    (after compinit)
  fish: usageflow completion fish > ~/.config/fish/completions/usageflow.fish

It completes commands, flags, their values, and the ids of metrics, plans, endpoints, API keys, members and access tokens, which it asks the server for, and profiles.`;
  static override examples = [
    "source <(<%= config.bin %> <%= command.id %> bash)",
    "<%= config.bin %> <%= command.id %> fish > ~/.config/fish/completions/usageflow.fish",
  ];
  static override args = { shell: Args.string({ required: true, options: [...SHELLS], description: "Which shell." }) };

  override async run(): Promise<void> {
    const { args } = await this.parse(Completion);
    const shell = args.shell as (typeof SHELLS)[number];
    const script = scripts[shell];
    this.answer(
      () => ({ shell, script }),
      () => script.trimEnd(),
    );
  }
}
