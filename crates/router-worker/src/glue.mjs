// What takes a dozen calls from WebAssembly and a line of JavaScript.

/** Headers as text: a line with a name, a line with its value, and so on. */
export function toLines(headers) {
  let lines = "";
  headers.forEach((value, name) => {
    lines += `${name}\n${value}\n`;
  });
  return lines;
}

function fromLines(lines) {
  const split = lines.split("\n");
  const pairs = [];
  for (let at = 0; at + 1 < split.length; at += 2) pairs.push([split[at], split[at + 1]]);
  return pairs;
}

/** Sends a request. Redirects are answers like others. */
export function send(url, method, lines, body, signal) {
  return fetch(url, { method, headers: fromLines(lines), body, signal, redirect: "manual" });
}

export function respond(status, lines, body) {
  return new Response(body, { status, headers: fromLines(lines) });
}

/** A stream that is filled as it is read: nothing is asked for before the client reads. */
export function fill(source) {
  return new ReadableStream(source, { highWaterMark: 0 });
}

/** Nobody wants the rest of a stream. Whether the platform can do something about it is its own. */
export function leave(reader) {
  reader.cancel().catch(() => {});
}
