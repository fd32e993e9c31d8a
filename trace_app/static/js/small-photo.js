// Photos made small before they are sent: a village's network takes minutes for what a phone takes in a second.
import { exifIn, HEAD_BYTES } from "./exif.js";

const LONGEST_SIDE = 2000;
const QUALITY = 0.8;
// What is this small already goes as it is.
const SMALL_BYTES = 150 * 1024;
// Others, such as HEIC, keep their notes of time and place where this script doesn't read them.
const KINDS = ["image/jpeg", "image/png", "image/webp"];

const bytesOf = (blob) => new Response(blob).arrayBuffer();

// The same file, of which every browser says that it is upright: some turn pictures by themselves, older ones don't.
function unturned(file, { orientationAt }) {
  if (!orientationAt) return file;
  return new Blob([file.slice(0, orientationAt), Uint8Array.of(1), file.slice(orientationAt + 1)], { type: file.type });
}

// How the canvas is turned for each orientation: the six numbers of its transformation, for a width and height.
const TURNS = {
  2: (w) => [-1, 0, 0, 1, w, 0],
  3: (w, h) => [-1, 0, 0, -1, w, h],
  4: (w, h) => [1, 0, 0, -1, 0, h],
  5: () => [0, 1, 1, 0, 0, 0],
  6: (w, h) => [0, 1, -1, 0, h, 0],
  7: (w, h) => [0, -1, -1, 0, h, w],
  8: (w) => [0, -1, 1, 0, 0, w],
};

function drawn(picture, orientation) {
  const scale = Math.min(1, LONGEST_SIDE / Math.max(picture.width, picture.height));
  const width = Math.max(1, Math.round(picture.width * scale));
  const height = Math.max(1, Math.round(picture.height * scale));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = orientation >= 5 ? [height, width] : [width, height];
  const context = canvas.getContext("2d");
  // JPEG knows no transparency: it would become black.
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  if (TURNS[orientation]) context.setTransform(...TURNS[orientation](width, height));
  context.drawImage(picture, 0, 0, width, height);
  return new Promise((resolve) => {
    canvas.toBlob(resolve, "image/jpeg", QUALITY);
  });
}

async function smaller(file, exif) {
  const picture = await createImageBitmap(unturned(file, exif));
  try {
    return await drawn(picture, exif.orientation);
  } finally {
    picture.close();
  }
}

// A photo as it is sent, with what its file says of when and where it was taken. What this browser can't open, or what
// is no larger than it would become, goes as it is: the platform opens more.
export async function smallPhoto(file) {
  const exif = exifIn(await bytesOf(file.slice(0, HEAD_BYTES)));
  const { taken, offset, latitude, longitude } = exif;
  const told = { taken, offset, latitude, longitude };
  if (file.size <= SMALL_BYTES || !KINDS.includes(file.type)) return Object.assign(told, { blob: file });
  const made = await smaller(file, exif).catch(() => null);
  return Object.assign(told, { blob: made && made.size < file.size ? made : file });
}
