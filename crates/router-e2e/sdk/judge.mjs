// What every script here needs: claims that are checked, and the address under test.

import * as zlib from "node:zlib";

export const BASE = process.argv[2].replace(/\/+$/, "");
let failed = 0;

/** Runs `check`; what it throws is a failed claim. */
export async function claim(name, check) {
  try {
    await check();
    console.log(`ok    ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL  ${name}: ${error?.stack ?? error}`);
  }
}

/** Throws unless `condition` holds. */
export function that(condition, shown) {
  if (!condition) throw new Error(`not so: ${JSON.stringify(shown)}`);
}

/** The error of class `kind` that `check` has to throw. */
export async function raises(kind, check, status) {
  try {
    await check();
  } catch (error) {
    that(error instanceof kind, `${error?.constructor?.name}: ${error?.message}`);
    that(status === undefined || error.status === status, error.status);
    return error;
  }
  throw new Error(`no ${kind.name}`);
}

/** A small picture, in base64. */
export function png(width = 2, height = 3) {
  const chunk = (kind, data) => {
    const body = Buffer.concat([Buffer.from(kind), data]);
    const size = Buffer.alloc(4);
    const sum = Buffer.alloc(4);
    size.writeUInt32BE(data.length);
    sum.writeUInt32BE((zlib.crc32 ?? fallbackCrc32)(body) >>> 0);
    return Buffer.concat([size, body, sum]);
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2, 0, 0, 0], 8);
  const row = Buffer.concat([Buffer.from([0]), Buffer.alloc(width * 3, 128)]);
  const rows = Buffer.concat(Array.from({ length: height }, () => row));
  const magic = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const end = chunk("IEND", Buffer.alloc(0));
  return Buffer.concat([magic, chunk("IHDR", head), chunk("IDAT", zlib.deflateSync(rows)), end]).toString("base64");
}

/** Node before 20.15 has no crc32. */
function fallbackCrc32(bytes) {
  let sum = 0xffffffff;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit += 1) sum = sum & 1 ? (sum >>> 1) ^ 0xedb88320 : sum >>> 1;
  }
  return ~sum;
}

/** Ends the script: 0 if every claim held. */
export function done() {
  process.exit(failed === 0 ? 0 : 1);
}
