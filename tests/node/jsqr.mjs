// Reads raw RGBA pictures with jsQR: a line of JSON {"file", "width", "height"} in, the text (or null) out.
import fs from "node:fs";
import readline from "node:readline";
import jsqr from "jsqr";

for await (const line of readline.createInterface({ input: process.stdin })) {
  const { file, width, height } = JSON.parse(line);
  const found = (jsqr.default ?? jsqr)(new Uint8ClampedArray(fs.readFileSync(file)), width, height);
  console.log(JSON.stringify(found ? found.data : null));
}
