// What is typed for a layout is what a guest with that layout reads: held against X's own program and tables
// (tests/python/keyboards.py), for all of ASCII, the letters of each language, and texts by chance.
//
//   node layouts.mjs
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const WEB = new URL("../../../control/web/", import.meta.url);
const READER = new URL("../../python/keyboards.py", import.meta.url);
const ASCII = Array.from({ length: 0x7f - 0x20 }, (_, index) => String.fromCharCode(0x20 + index)).join("");
/** Letters and signs that people who have the keyboard type on it. */
const OWN = {
  us: "", gb: "£€", de: "äöüßÄÖÜéèâ€§°²³µ", ch: "äöüàéèçñâêîôûëïÀ§°£€¢¬", fr: "éèçàùâêîôûëïüÿÊËµ£§°²€", "ch-fr": "éèàüöäçâêîôûëïñ§°£€",
  be: "éèçàùâêîôûëïüñµ£§°²³€", es: "ñÑçÇáéíóúüÁÉÍÓÚÜ¿¡ºª·€", latam: "ñÑáéíóúüÁÉÍÓÚÜ¿¡°", it: "àèéìòùç£§°€", pt: "çÇáàâãéêíóôõúÁÀÂÃÉÊÍÓÔÕÚ«»ºª£§€",
  br: "çÇáàâãéêíóôõúÁÀÂÃÉÊÍÓÔÕÚüºª§£°", se: "åäöÅÄÖéèüÉ§½¤€£", no: "æøåÆØÅéèòôóü§¤€£", dk: "æøåÆØÅéèü§½¤€£", fi: "åäöÅÄÖéšž§½¤€",
  pl: "ąćęłńóśźżĄĆĘŁŃÓŚŹŻ€", cz: "ěščřžýáíéúůóťďňĚŠČŘŽÝÁÍÉÚŮÓŤĎŇ§",
};
/** Some that each lacks: they are named, and nothing is typed. */
const ABSENT = "Ж漢🙂́´\u0000";
const CHANCE = 40;

const folder = await mkdtemp(join(tmpdir(), "csp-layouts."));
const { default: typescript } = await import(pathToFileURL(createRequire(new URL("package.json", WEB)).resolve("typescript")));
for (const name of ["layouts", "keyboards"]) {
  const source = await readFile(new URL(`src/console/${name}.ts`, WEB), "utf8");
  const { outputText } = typescript.transpileModule(source, { compilerOptions: { target: "es2022", module: "es2022" } });
  await writeFile(join(folder, `${name}.mjs`), outputText.replace('"./keyboards"', '"./keyboards.mjs"'));
}
const { strokes } = await import(pathToFileURL(join(folder, "layouts.mjs")));
const { keyboards } = await import(pathToFileURL(join(folder, "keyboards.mjs")));
await rm(folder, { recursive: true });
assert.deepEqual(Object.keys(OWN).sort(), Object.keys(keyboards).sort(), "each layout has its letters here");

const cases = [];
const take = (layout, text) => {
  const found = strokes(text, layout);
  assert.ok(found.strokes, `${layout} lacks ${found.absent} of ${text}`);
  cases.push({ layout, text, strokes: found.strokes.flat().map(({ code, hold }) => [code, hold]) });
};
for (const [layout, own] of Object.entries(OWN)) {
  for (const character of ASCII + own) take(layout, character);
  take(layout, `one\ttwo\r\nthree\n`);
  const letters = [...ASCII, ...own];
  for (let text = 0; text < CHANCE; text += 1) {
    take(layout, Array.from({ length: 30 }, () => letters[Math.floor(Math.random() * letters.length)]).join(""));
  }
  // Whatever else it says that it can type, it can.
  for (let code = 0xa1; code < 0x180; code += 1) if (strokes(String.fromCharCode(code), layout).strokes) take(layout, String.fromCharCode(code));
  assert.deepEqual(strokes("a\u00a0b", layout), strokes("a b", layout), `${layout}: a no-break space`);
  const lacking = [...ABSENT].filter((one) => strokes(one, layout).absent);
  assert.ok(lacking.length >= 4, `${layout} types ${ABSENT}`);
  assert.deepEqual(strokes(`a${lacking.join("b")}a${lacking[0]}`, layout), { absent: lacking }, layout);
}
// The key left of Z is on no US keyboard, and guests that are not Linux make something else of it: never there, and elsewhere
// only for what no key makes without AltGr.
for (const { layout, text, strokes: pressed } of cases.filter((one) => [...one.text].length === 1)) {
  for (const [code, hold] of pressed.filter(([name]) => name === "IntlBackslash")) {
    assert.ok(!["us", "pl"].includes(layout), `${layout}: ${text} is typed with a key that is not there`);
    const left = [...keyboards.us.none].indexOf("<");
    const elsewhere = ["none", "shift"].filter((row) => [...keyboards[layout][row]].some((one, at) => one === text && at !== left));
    assert.deepEqual(elsewhere, [], `${layout}: ${text} has a place that more guests know than ${code} with ${hold}`);
  }
}
for (const [layout, character, code] of [["us", "<", "Comma"], ["us", ">", "Period"], ["pl", "<", "Comma"], ["pl", ">", "Period"], ["gb", "<", "Comma"], ["br", ">", "Period"]]) {
  assert.deepEqual(strokes(character, layout).strokes, [[{ code, hold: "shift" }]], `${layout}: ${character}`);
}
const input = JSON.stringify(cases.map((one) => [one.layout, one.strokes]));
const read = JSON.parse(execFileSync("python3", [READER.pathname, "read"], { input, encoding: "utf8", maxBuffer: 1 << 28 }));
const wrong = cases.flatMap(({ layout, text }, at) => (read[at] === text.replace("\r\n", "\n") ? [] : [`${layout}: ${JSON.stringify(text)} is read as ${JSON.stringify(read[at])}`]));
assert.deepEqual(wrong.slice(0, 20), []);
console.log(`layouts: ${cases.length} texts on ${Object.keys(OWN).length} keyboards, read as they were written`);
