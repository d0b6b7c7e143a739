// Photos less what they tell of the person who took them: no place, no time, no owner, no second picture.
//
// Pixels are kept bit for bit, and the orientation with them. What the picture does not need is left out altogether,
// rather than the location alone: that stands in EXIF, in XMP, in makers' notes and in the videos that phones append.

import { block, orientation, text, UPRIGHT } from "./exif.js";
import * as heic from "./heic.js";

const KINDS = {
  "image/jpeg": [(bytes) => text(bytes, 0, 3) === "\xff\xd8\xff", jpeg],
  "image/png": [(bytes) => text(bytes, 0, 8) === "\x89PNG\r\n\x1a\n", png],
  "image/webp": [(bytes) => text(bytes, 0, 4) === "RIFF" && text(bytes, 8, 12) === "WEBP", webp],
  "image/heic": [heic.isHeic, (bytes) => [heic.withoutMetadata(bytes)]],
};

/** What is sent of a file: a Blob of the type that its first bytes tell; null for a type that the service does not read.
 *
 * Throws what reading a file throws, and RangeError for a HEIC that does not say where its metadata is.
 */
export async function withoutMetadata(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  for (const [type, [isThis, partsOf]] of Object.entries(KINDS))
    if (isThis(bytes)) return new Blob(partsOf(bytes), { type });
  return null;
}

const viewOf = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

// JPEG (ITU-T T.81, annex B)

const [APP0, APP1, APP14, SCAN, END] = [0xe0, 0xe1, 0xee, 0xda, 0xd9];
const isRestart = (marker) => marker >= 0xd0 && marker <= 0xd7;

function jpeg(bytes) {
  let turned = null; // the first block counts
  const parts = [];
  for (const { marker, start, end } of segments(bytes)) {
    const isMarked = (mark) => text(bytes, start + 4, start + 4 + mark.length) === mark;
    if (marker === APP1 && isMarked("Exif\0\0")) turned ??= orientation(bytes.subarray(start + 4, end));
    const isPicture = marker >= 0xc0 && marker <= 0xdf; // frames, tables, scans and the end
    const isColour = (marker === APP0 && isMarked("JFIF\0")) || (marker === APP14 && isMarked("Adobe"));
    if (isPicture || isColour) parts.push(bytes.subarray(start, end));
  }
  const exif = (turned ?? UPRIGHT) === UPRIGHT ? [] : [jpegBlock(turned)];
  return [bytes.subarray(0, 2), ...exif, ...parts];
}

/** Each with its marker; the data of a scan are part of its segment. Ends with the picture, or where the file is broken. */
function* segments(bytes) {
  let start = 2;
  while (bytes[start] === 0xff) {
    while (bytes[start + 1] === 0xff) start += 1; // any number of fill bytes is legal
    const marker = bytes[start + 1];
    let end = start + 2;
    if (marker !== END && marker !== 0x01 && !isRestart(marker)) end += (bytes[end] << 8) | bytes[end + 1];
    if (marker === SCAN) end = scanEnd(bytes, end);
    yield { marker, start, end };
    if (marker === END) return;
    start = end;
  }
}

function scanEnd(bytes, from) {
  for (let at = bytes.indexOf(0xff, from); at >= 0; at = bytes.indexOf(0xff, at + 1)) {
    const next = bytes[at + 1];
    if (next !== 0 && next !== 0xff && !isRestart(next)) return at;
  }
  return bytes.length;
}

function jpegBlock(turned) {
  const content = block(turned);
  return new Uint8Array([0xff, APP1, 0, 8 + content.length, ...[..."Exif\0\0"].map((c) => c.charCodeAt(0)), ...content]);
}

// PNG (W3C PNG, third edition)

const PIXEL_CHUNKS = new Set(["IHDR", "PLTE", "tRNS", "IDAT", "IEND"]);

function png(bytes) {
  const view = viewOf(bytes);
  let turned = UPRIGHT;
  const parts = [];
  for (let start = 8; start + 8 <= bytes.length; ) {
    const kind = text(bytes, start + 4, start + 8);
    const end = start + 12 + view.getUint32(start);
    if (kind === "eXIf") turned = orientation(bytes.subarray(start + 8, end - 4));
    if (PIXEL_CHUNKS.has(kind)) parts.push(bytes.subarray(start, end));
    if (kind === "IEND") break;
    start = end;
  }
  const exif = turned === UPRIGHT ? [] : [pngChunk(turned)];
  return [bytes.subarray(0, 8), parts[0] ?? "", ...exif, ...parts.slice(1)];
}

function pngChunk(turned) {
  const content = block(turned);
  const chunk = new Uint8Array(12 + content.length);
  const view = viewOf(chunk);
  view.setUint32(0, content.length);
  view.setUint32(4, 0x65584966); // eXIf
  chunk.set(content, 8);
  view.setUint32(8 + content.length, crc32(chunk.subarray(4, 8 + content.length)));
  return chunk;
}

function crc32(bytes) {
  let rest = -1;
  for (const byte of bytes) {
    rest ^= byte;
    for (let bit = 0; bit < 8; bit += 1) rest = (rest >>> 1) ^ (rest & 1 ? 0xedb88320 : 0);
  }
  return ~rest >>> 0;
}

// WebP (RFC 9649): chunks are overwritten where they stand, so that no size and no flag has to be put right.

function webp(bytes) {
  const view = viewOf(bytes);
  for (let start = 12; start + 8 <= bytes.length; ) {
    const kind = text(bytes, start, start + 4);
    const length = view.getUint32(start + 4, true);
    const content = bytes.subarray(start + 8, start + 8 + length);
    const kept = kind === "EXIF" ? block(orientation(content)).subarray(0, content.length) : [];
    if (kind === "EXIF" || kind === "XMP ") {
      content.fill(0);
      content.set(kept);
    }
    start += 8 + length + (length % 2);
  }
  return [bytes];
}
