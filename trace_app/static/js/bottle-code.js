// What a code on a bottle, or what was typed, says of a pesticide's registration.

const PREFIXES = { 1: "PD", 2: "WP", 3: "LS" };
// The 32 digits of a single pack (农业部公告第 2579 号): the sort of registration, the last six digits of its number,
// how it was made, the pack's size, and 21 digits by chance. Most makers print them within an address.
const OF_A_PACK = /(?:^|[^0-9])([123])([0-9]{6})[123][0-9]{24}(?![0-9])/;

export const plain = (text) => String(text).normalize("NFKC").toUpperCase().replace(/[\s-]/g, "");

/** A function that tells whether a registration number is meant by a code. */
export function meansNumber(code) {
  const pack = OF_A_PACK.exec(code);
  if (!pack) return (number) => plain(number) !== "" && plain(number) === plain(code);
  const [, sort, last] = pack;
  return (number) => plain(number).startsWith(PREFIXES[sort]) && plain(number).endsWith(last);
}
