// Opens each page given as an argument in a headless Chromium and writes what happened as JSON to stdout.
// Usage: node look.mjs CHROMIUM OUT_FOLDER PAGE.html...
import { readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import puppeteer from "puppeteer-core";

const [chromium, folder, ...pages] = process.argv.slice(2);
const axe = readFileSync(new URL("./node_modules/axe-core/axe.min.js", import.meta.url), "utf8");

// Two at a time, each in a browser of its own: axe works in the page's one thread, and takes most of the time.
const LANES = 2;

// What axe finds wrong, and where it cannot tell. Before a chart it never can: their colours are checked where they are drawn.
// Of what is in order one is enough, and no selectors: to describe two thousand elements takes as long as to look at them.
async function audited(page, rules) {
  return page.evaluate(async (runOnly) => {
    const options = { resultTypes: ["violations", "incomplete"], selectors: false, elementRef: true };
    const { violations, incomplete } = await globalThis.axe.run({ ...options, ...(runOnly.length ? { runOnly } : {}) });
    const told = (one, nodes) => nodes.map(({ element }) => `${one.id}: ${one.help}: ${element.outerHTML.slice(0, 120)}`).slice(0, 3);
    const unsure = (one) => one.nodes.filter(({ element }) => !element.closest("svg"));
    return [...violations.flatMap((one) => told(one, one.nodes)), ...incomplete.flatMap((one) => told(one, unsure(one)))];
  }, rules);
}

async function look(browser, file) {
  const page = await browser.newPage();
  const seen = { file: basename(file), console: [], requests: [], violations: [], dialogs: 0 };
  page.on("console", (message) => seen.console.push(message.text()));
  page.on("pageerror", (error) => seen.console.push(String(error)));
  page.on("dialog", (dialog) => { seen.dialogs += 1; dialog.dismiss(); });
  page.on("request", (request) => seen.requests.push(request.url()));
  await page.setViewport({ width: 1100, height: 1400 });
  const url = pathToFileURL(file).href;
  await page.goto(url, { waitUntil: "load" });
  seen.requests = seen.requests.filter((one) => one !== url);
  await page.evaluate(axe);
  // Only contrast can differ in the dark.
  for (const [scheme, rules] of [["light", []], ["dark", ["color-contrast"]]]) {
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    seen.violations.push(...(await audited(page, rules)).map((one) => `${scheme}: ${one}`));
    await page.screenshot({ path: join(folder, `${basename(file, ".html")}-${scheme}.png`) });
  }
  seen.images = await page.evaluate(() => [...document.querySelectorAll("[role=img], img")].map((one) => ({
    label: one.getAttribute("aria-label") || one.getAttribute("alt") || "",
    alternative: document.getElementById(one.getAttribute("aria-describedby") || "")?.textContent || "",
  })));
  seen.scripts = await page.evaluate(() => document.scripts.length);
  // As wide as the type area of the sheet: what is wider than that is cut off in print.
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "light" }]);
  await page.emulateMediaType("print");
  await page.setViewport({ width: Math.floor((210 - 24) / 25.4 * 96), height: 1000 });
  seen.clipped = await page.evaluate(() => [...document.querySelectorAll("table, pre, figure svg, dl, h1, h2, p")]
    .filter((one) => !one.closest("[aria-hidden=true]") || one.closest("figure"))
    .filter((one) => one.getBoundingClientRect().right > document.documentElement.clientWidth + 1
      || one.scrollWidth > one.clientWidth + 1 && one.tagName !== "svg" && getComputedStyle(one).display !== "inline")
    .map((one) => `${one.tagName} ${one.textContent.slice(0, 60)}`));
  writeFileSync(join(folder, `${basename(file, ".html")}.pdf`), await page.pdf({ preferCSSPageSize: true, printBackground: true }));
  await page.close();
  return seen;
}

const looks = new Map(pages.map((file) => [file, null]));
const waiting = [...pages];

async function lane() {
  const browser = await puppeteer.launch({
    executablePath: chromium,
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"],
  });
  try {
    for (let file = waiting.shift(); file; file = waiting.shift()) looks.set(file, await look(browser, file));
  } finally {
    await browser.close();
  }
}

await Promise.all(Array.from({ length: LANES }, lane));
process.stdout.write(JSON.stringify([...looks.values()]));
