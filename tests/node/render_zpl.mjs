// Renders a ZPL file: node render_zpl.mjs FILE FOLDER WIDTH_MM HEIGHT_MM DOTS_PER_MM, a PNG for each label.
import fs from "node:fs";
import { ready } from "zpl-renderer-js";

const [file, folder, width, height, dots] = process.argv.slice(2);
const { api } = await ready;
const labels = await api.zplToBase64MultipleAsync(fs.readFileSync(file, "latin1"), +width, +height, +dots);
labels.forEach((label, number) => fs.writeFileSync(`${folder}/${number}.png`, Buffer.from(label, "base64")));
process.exit(0);
