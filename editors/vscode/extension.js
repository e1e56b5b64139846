// The client of `archlens lsp` in Visual Studio Code: it starts the server, and shows what it says.

const vscode = require("vscode");
const { LanguageClient, TransportKind } = require("vscode-languageclient/node");

/** @type {LanguageClient | undefined} */
let client;

/** @param {vscode.ExtensionContext} context */
async function activate(context) {
  context.subscriptions.push(vscode.commands.registerCommand("archlens.restart", restart));
  context.subscriptions.push(
    vscode.workspace.onDidChangeConfiguration((change) => {
      if (change.affectsConfiguration("archlens.command")) void restart();
    }),
  );
  await start();
}

async function start() {
  /** @type {string[]} */
  const words = vscode.workspace.getConfiguration("archlens").get("command") ?? [];
  const [command, ...args] = words;
  if (!command) return;
  client = new LanguageClient(
    "archlens",
    "archlens",
    { command, args, transport: TransportKind.stdio },
    // YAML that is no spec is left alone by the server
    { documentSelector: [{ language: "archlens" }, { language: "yaml" }] },
  );
  try {
    await client.start();
  } catch (problem) {
    client = undefined;
    const what = `${words.join(" ")} could not be started: ${problem}`;
    void vscode.window.showWarningMessage(`${what}. It is installed by: pip install 'archlens-nn[lsp]'`);
  }
}

async function restart() {
  await deactivate();
  await start();
}

async function deactivate() {
  const old = client;
  client = undefined;
  await old?.stop();
}

module.exports = { activate, deactivate };
