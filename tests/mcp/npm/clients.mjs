// The official TypeScript clients against the MCP door, driven by tests/mcp/test_npm.py.
//
// node clients.mjs FLAVOUR URL; the token comes in INTERLOCK_TOKEN. Prints one JSON object.
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

const [flavour, url] = process.argv.slice(2);
const who = { name: "interlock-tests", version: "1" };
const requestInit = { headers: { Authorization: `Bearer ${process.env.INTERLOCK_TOKEN}` } };

function open() {
  if (flavour === "sdk-1") return [new ClientV1(who), new TransportV1(new URL(url), { requestInit })];
  const options = flavour === "client-2-auto" ? { versionNegotiation: { mode: "auto" } } : {};
  return [new Client(who, options), new StreamableHTTPClientTransport(new URL(url), { requestInit })];
}

async function scene(client) {
  const call = async (name, given) => client.callTool({ name, arguments: given });
  const join = async (agent) => (await call("sync", { agent })).structuredContent.instance.handle;
  const tools = (await client.listTools()).tools.map((tool) => tool.name);
  const [ada, bob] = [await join("ada"), await join("bob")];
  const granted = await call("claim", { paths: ["a.py"], instance: ada });
  const refused = await call("claim", { paths: ["a.py"], instance: bob });
  const mistake = await call("claim", { pathz: ["a.py"], instance: bob });
  const waiting = call("claim", { paths: ["a.py"], instance: bob, wait_seconds: 30 });
  while ((await call("sync", { instance: bob })).structuredContent.queue.length === 0);
  await call("release", { all: true, instance: ada });
  const served = await waiting;
  const verified = await call("verify", { paths: ["a.py"], instance: bob });
  return {
    tools,
    instructions: client.getInstructions(),
    granted: granted.structuredContent.holder.agent,
    refused: [refused.isError ?? false, refused.structuredContent.code, refused.content[0].text],
    mistake: [mistake.isError, mistake.structuredContent.code, mistake.content[0].text],
    served: served.structuredContent.holder.agent,
    verdict: verified.structuredContent.verdict,
  };
}

const [client, transport] = open();
await client.connect(transport);
const found = await scene(client);
found.protocol = transport.protocolVersion ?? client.getNegotiatedProtocolVersion?.() ?? null;
console.log(JSON.stringify(found));
await client.close();
