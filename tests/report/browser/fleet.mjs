// Sorts and filters the page of a fleet in a headless Chromium and writes what it then shows as JSON to stdout.
// Usage: node fleet.mjs CHROMIUM PAGE.html
import { pathToFileURL } from "node:url";
import puppeteer from "puppeteer-core";

const [chromium, file] = process.argv.slice(2);
const browser = await puppeteer.launch({
  executablePath: chromium,
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"],
});
const url = pathToFileURL(file).href;
const console_ = [];

async function opened(script) {
  const page = await browser.newPage();
  page.on("console", (message) => console_.push(message.text()));
  page.on("pageerror", (error) => console_.push(String(error)));
  await page.setJavaScriptEnabled(script);
  await page.goto(url, { waitUntil: "load" });
  return page;
}

// Rows that take up room, by the text of each cell.
const shown = (page, section) => page.$$eval(`section[aria-labelledby=${section}] tbody tr`, (rows) =>
  rows.filter((row) => row.getClientRects().length).map((row) => [...row.cells].map((cell) => cell.textContent)));
const press = (page, section, column) => page.click(`section[aria-labelledby=${section}] thead :nth-child(${column}) button`);
const order = (page, section) => page.$$eval(`section[aria-labelledby=${section}] thead [aria-sort]`, (heads) =>
  heads.map((head) => [head.textContent, head.getAttribute("aria-sort")]));
async function filter(page, section, text) {
  const input = await page.$(`section[aria-labelledby=${section}] input`);
  await input.click({ clickCount: 3 });
  await page.keyboard.press("Backspace");
  await input.type(text);
}
const count = (page, section) => page.$eval(`section[aria-labelledby=${section}] [role=status]`, (one) => one.textContent);

const seen = { console: console_ };
const page = await opened(true);
seen.first = await shown(page, "nodes");
await press(page, "nodes", 1);
seen.byName = await shown(page, "nodes");
await press(page, "nodes", 2);
await press(page, "nodes", 2);
seen.byVerdict = await shown(page, "nodes");
seen.order = await order(page, "nodes");
// By the keyboard alone.
await page.focus("section[aria-labelledby=outliers] thead :nth-child(4) button");
await page.keyboard.press("Enter");
seen.byValue = await shown(page, "outliers");
await filter(page, "nodes", "REFUTED node-00");
seen.filtered = await shown(page, "nodes");
seen.count = await count(page, "nodes");
seen.others = await count(page, "outliers");
await page.emulateMediaType("print");
seen.onPaper = await shown(page, "nodes");
await page.emulateMediaType("screen");
await filter(page, "nodes", "no such node");
seen.none = [await shown(page, "nodes"), await count(page, "nodes")];

const plain = await opened(false);
seen.plain = await shown(plain, "nodes");
seen.plainControls = await plain.$$eval("button, input", (controls) => controls.length);
seen.squares = await plain.$$eval("use", (squares) => squares.map((one) => one.textContent));
seen.coloured = await plain.$$eval("use", (squares) => squares.filter((one) => one.getBoundingClientRect().width > 1).length);
await browser.close();
process.stdout.write(JSON.stringify(seen));
