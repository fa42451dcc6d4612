// GraphiQL as a newcomer uses it, in a headless Chromium: `node browser.mjs URL CHROMIUM [SCREENSHOT]`.
// Runs a query and a subscription, and fails if the page asks any other host for anything.
import { chromium } from "playwright-core";

const [address, executablePath, screenshot] = process.argv.slice(2);
const origin = new URL(address).origin;
const args = "--disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync";
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", ...args.split(" ")] });
const foreign = [];
let failure = null;

try {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  const note = (url) => {
    const to = new URL(url);
    if (!["data:", "blob:"].includes(to.protocol) && to.host !== new URL(origin).host) foreign.push(url);
  };
  page.on("request", (request) => note(request.url()));
  page.on("websocket", (socket) => note(socket.url()));
  page.on("pageerror", (error) => (failure ??= `the page: ${error.message}`));
  page.on("console", (message) => message.type() === "error" && (failure ??= `the page's console: ${message.text()}`));

  await page.goto(address);
  const answer = page.locator(".result-window .CodeMirror");
  const shows = (text) => answer.filter({ hasText: text }).waitFor({ timeout: 15_000 });
  const tabs = await page.locator(".graphiql-tab").count();
  if (tabs !== 4) failure ??= `${tabs} tabs instead of 4`;

  const run = async (operation) => {
    await page.locator(".graphiql-add-tab, [aria-label='New tab']").first().click();
    await page.evaluate((text) => document.querySelector(".graphiql-query-editor .CodeMirror").CodeMirror.setValue(text), operation);
    await page.locator(".graphiql-execute-button").click();
  };
  await run("query Who { viewer { role workspace { name } } }");
  await shows('"Demo"');
  console.log("GraphiQL: a query is answered");

  // what the tabs do, in their order: connect, watch, sync, query
  const api = async (query, variables) =>
    page.evaluate(
      async (body) => (await fetch("/graphql", { method: "POST", headers: { "content-type": "application/json" }, body })).json(),
      JSON.stringify({ query, variables }),
    );
  const connected = await api('mutation { connect(input: { crm: PIPEDRIVE, apiToken: "sandbox-pipedrive-2" }) { integration { id } userErrors { message } } }');
  const integrationId = connected.data?.connect?.integration?.id;
  if (!integrationId) throw new Error(`connect: ${JSON.stringify(connected)}`);
  await run("subscription Watch { syncRuns { status recordsCreated } }");
  await page.waitForTimeout(500);
  const started = await api("mutation($id: ID!) { sync(input: { integrationId: $id, kind: FULL }) { syncRun { id } userErrors { message } } }", { id: integrationId });
  if (!started.data?.sync?.syncRun) throw new Error(`sync: ${JSON.stringify(started)}`);
  await shows(/"(SUCCEEDED|PARTIAL)"/);
  console.log("GraphiQL: a subscription shows a sync to its end");
  if (screenshot) await page.screenshot({ path: screenshot });
} catch (error) {
  failure ??= error.message;
} finally {
  await browser.close();
}

console.log(`GraphiQL: ${foreign.length} requests to other hosts`);
for (const url of foreign) console.log(`  ${url}`);
if (failure) console.log(`GraphiQL: ${failure}`);
process.exit(failure || foreign.length ? 1 : 0);
