// Corners of an area as text: one in each line, latitude and longitude.
const PARTS = /[,，;；\s]+/;

// The lines with something in them, corners or not.
export const linesOf = (text) => text.split("\n").filter((line) => line.trim());

// The corners of those lines that are two numbers, as [latitude, longitude].
export function cornersOf(text) {
  return linesOf(text)
    .map((line) => line.split(PARTS).filter(Boolean).map(Number))
    .filter((pair) => pair.length === 2 && pair.every(Number.isFinite));
}

export const lineOf = ([latitude, longitude]) => `${latitude.toFixed(6)}, ${longitude.toFixed(6)}`;
