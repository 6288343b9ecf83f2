// Opens each page given as an argument in a headless Chromium and writes what happened as JSON to stdout.
// Usage: node look.mjs CHROMIUM OUT_FOLDER PAGE.html...
import { readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import puppeteer from "puppeteer-core";

const [chromium, folder, ...pages] = process.argv.slice(2);
const axe = readFileSync(new URL("./node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
const browser = await puppeteer.launch({
  executablePath: chromium,
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"],
});

// Contrast takes seconds on a whole page, and all pages share one sheet: of the first page all is looked at, of the others the head,
// where the colour of the verdict is.
async function audited(page, whole) {
  await page.evaluate(axe);
  const violations = await page.evaluate(async (all) => {
    if (all) return (await globalThis.axe.run()).violations;
    const but = await globalThis.axe.run({ rules: { "color-contrast": { enabled: false } } });
    const head = await globalThis.axe.run("header", { runOnly: ["color-contrast"] });
    return [...but.violations, ...head.violations];
  }, whole);
  return violations.map((one) => `${one.id}: ${one.help}: ${one.nodes.map((node) => node.target.join(" ")).slice(0, 3).join(", ")}`);
}

async function look(file, first) {
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
  for (const scheme of ["light", "dark"]) {
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    seen.violations.push(...(await audited(page, first)).map((one) => `${scheme}: ${one}`));
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

const looks = [];
for (const file of pages) looks.push(await look(file, looks.length === 0));
await browser.close();
process.stdout.write(JSON.stringify(looks));
