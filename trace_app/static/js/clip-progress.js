// How an upload is spoken of, and what becomes of it when something goes wrong.

const MB = 1024 * 1024;

// Bytes as people speak of files, as on the platform's own pages: small ones in KB, others with one place below ten.
export function fileSize(bytes) {
  const mb = bytes / MB;
  if (mb < 0.1) return `${Math.ceil(bytes / 1024)} KB`;
  return `${mb < 10 ? mb.toFixed(1) : Math.round(mb)} MB`;
}

// A text with its places filled in: {done}, {all}.
export function filled(text, done, all) {
  return text.replace("{done}", fileSize(done)).replace("{all}", fileSize(all));
}

// The status of an answer that an error tells of; 0 where there was none.
export function statusOf(error) {
  return error.originalResponse ? error.originalResponse.getStatus() : 0;
}

// Whether waiting helps: the line or the server is away or busy, or another part came first.
export function passesBy(error) {
  const status = statusOf(error);
  return status === 0 || status >= 500 || [409, 423, 429, 460].includes(status);
}

// What the platform says itself of a clip that it does not take; nothing where it said nothing, or waiting helps.
export function refusalIn(error) {
  if (passesBy(error)) return "";
  const type = error.originalResponse.getHeader("Content-Type") || "";
  return type.startsWith("text/plain") ? error.originalResponse.getBody() : "";
}

// What tells one file of one record from another: with it an upload goes on after the page was closed.
export function fingerprintOf(file, record) {
  return ["clip", record, file.name, file.size, file.lastModified].join("-");
}
