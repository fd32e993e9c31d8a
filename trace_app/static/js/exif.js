// What a camera wrote into a JPEG of how it was held, and when and where the picture was taken (Exif 2.32). Only the
// beginning of a file is needed. Whatever is not as it should be says nothing.
const ORIENTATION = 0x0112;
const DETAILS = 0x8769;
const PLACE = 0x8825;
const TAKEN = 0x9003;
const OFFSET = 0x9011;
export const HEAD_BYTES = 256 * 1024;

// Where the TIFF structure begins, in the segment APP1 of the file; -1 where there is none.
function tiffIn(view) {
  if (view.byteLength < 4 || view.getUint16(0) !== 0xffd8) return -1;
  let at = 2;
  while (at + 10 <= view.byteLength) {
    const marker = view.getUint16(at);
    if (marker === 0xffe1 && view.getUint32(at + 4) === 0x45786966) return at + 10;
    if (marker < 0xffe0 || marker > 0xffef) return -1;
    at += 2 + view.getUint16(at + 2);
  }
  return -1;
}

class Tiff {
  constructor(view, start) {
    this.view = view;
    this.start = start;
    this.little = view.getUint16(start) === 0x4949;
  }

  short(at) {
    return this.view.getUint16(at, this.little);
  }

  long(at) {
    return this.view.getUint32(at, this.little);
  }

  // The entries of a directory: where each begins, by its tag.
  entries(offset) {
    const found = new Map();
    const at = this.start + offset;
    for (let number = 0; number < this.short(at); number += 1) {
      const entry = at + 2 + number * 12;
      found.set(this.short(entry), entry);
    }
    return found;
  }

  place(entry) {
    return this.start + this.long(entry + 8);
  }

  text(entry) {
    const length = this.long(entry + 4);
    const at = length <= 4 ? entry + 8 : this.place(entry);
    let text = "";
    for (let number = 0; number < Math.min(length, 40); number += 1) {
      const code = this.view.getUint8(at + number);
      if (!code) break;
      text += String.fromCharCode(code);
    }
    return text;
  }

  degrees(entry) {
    const at = this.place(entry);
    const [degrees, minutes, seconds] = [0, 8, 16].map((by) => this.long(at + by) / this.long(at + by + 4));
    return degrees + (minutes || 0) / 60 + (seconds || 0) / 3600;
  }
}

function placeIn(tiff, entries) {
  const latitude = tiff.degrees(entries.get(2)) * (tiff.text(entries.get(1)) === "S" ? -1 : 1);
  const longitude = tiff.degrees(entries.get(4)) * (tiff.text(entries.get(3)) === "W" ? -1 : 1);
  return Number.isFinite(latitude) && Number.isFinite(longitude) ? { latitude, longitude } : {};
}

function attempt(read) {
  try {
    return read();
  } catch {
    return {};
  }
}

// orientation: 1 to 8. orientationAt: the place of its low byte in the file. taken, offset: as they are written.
export function exifIn(buffer) {
  const view = new DataView(buffer);
  return attempt(() => {
    const start = tiffIn(view);
    if (start < 0) return {};
    const tiff = new Tiff(view, start);
    const first = tiff.entries(tiff.long(start + 4));
    const told = {};
    if (first.has(ORIENTATION)) {
      const entry = first.get(ORIENTATION);
      told.orientation = tiff.short(entry + 8);
      told.orientationAt = entry + 8 + (tiff.little ? 0 : 1);
    }
    Object.assign(told, attempt(() => {
      const details = tiff.entries(tiff.long(first.get(DETAILS) + 8));
      const taken = { taken: tiff.text(details.get(TAKEN)) };
      return details.has(OFFSET) ? Object.assign(taken, { offset: tiff.text(details.get(OFFSET)) }) : taken;
    }));
    return Object.assign(told, attempt(() => placeIn(tiff, tiff.entries(tiff.long(first.get(PLACE) + 8)))));
  });
}
