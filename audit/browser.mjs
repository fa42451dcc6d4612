// GraphiQL as a newcomer uses it, in a headless Chromium: `node browser.mjs URL CHROMIUM [SCREENSHOT]`.
// Runs what is in the tabs, and fails if the page asks any other host for anything.
import { chromium } from "playwright-core";

const [address, executablePath, screenshot] = process.argv.slice(2);
const origin = new URL(address).origin;
const args = "--disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync";
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", ...args.split(" ")] });
const foreign = [];
let failure = null;

const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });

try {
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
  if (tabs !== 7) failure ??= `${tabs} tabs instead of 7`;

  const editor = (where, text) =>
    page.evaluate(([place, value]) => document.querySelector(`${place} .CodeMirror`).CodeMirror.setValue(value), [where, text]);
  const open = (name) => page.locator(".graphiql-tab-button", { hasText: name }).click();
  const run = async (name) => {
    await page.locator(".graphiql-tab-active", { hasText: name }).waitFor();
    await page.waitForTimeout(300); // it reads what was typed a little later
    await page.locator(".graphiql-execute-button").click();
  };
  const read = () => page.evaluate(() => document.querySelector(".result-window .CodeMirror").CodeMirror.getValue());

  await open("Connect");
  await run("Connect");
  await shows('"ACTIVE"');
  const { id } = JSON.parse(await read()).data.connect.integration;
  console.log("GraphiQL: a mutation connects the sandbox");

  await open("Sync");
  await editor(".graphiql-editor-tool", JSON.stringify({ integrationId: id }));
  await run("Sync");
  await shows('"isNew": true');
  await open("Watch");
  await run("Watch");
  await shows('"RUNNING"');
  await shows(/"(SUCCEEDED|PARTIAL)"/);
  if (screenshot) await page.screenshot({ path: screenshot });
  console.log("GraphiQL: a subscription shows the sync to its end");

  await page.locator(".graphiql-execute-button").click(); // stops watching
  await open("WarmLead");
  await editor(".graphiql-editor-tool", JSON.stringify({ integrationId: id }));
  await run("WarmLead");
  await shows('"isWarmLead": true');
  await open("Pushes");
  await run("Pushes");
  for (let tries = 0; tries < 50 && !(await read()).includes('"COMMITTED"'); tries++) {
    await page.waitForTimeout(300);
    await page.locator(".graphiql-execute-button").click();
  }
  await shows('"COMMITTED"');
  console.log("GraphiQL: a warm lead is in the CRM");

  await open("People");
  await page.locator(".graphiql-editor-tools button", { hasText: "Headers" }).click();
  await editor(".graphiql-editor-tool > :last-child", JSON.stringify({ "X-Secret": "not to be kept" }));
  await run("People");
  await shows('"Ava Rodriguez"');
  console.log("GraphiQL: a query shows people with their organization, deals and activities");

  const kept = await page.evaluate(() => JSON.stringify(window.localStorage));
  if (!kept.includes("query People")) failure ??= "the browser's storage has no history";
  if (kept.includes("not to be kept")) failure ??= "the browser's storage has kept a header";
  else console.log("GraphiQL: headers are not kept in the browser's storage");
} catch (error) {
  failure ??= error.message;
} finally {
  if (screenshot && failure) await page.screenshot({ path: screenshot });
  await browser.close();
}

console.log(`GraphiQL: ${foreign.length} requests to other hosts`);
for (const url of foreign) console.log(`  ${url}`);
if (failure) console.log(`GraphiQL: ${failure}`);
process.exit(failure || foreign.length ? 1 : 0);
