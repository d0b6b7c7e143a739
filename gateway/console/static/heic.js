// A HEIC less its metadata (ISO/IEC 14496-12 and 23008-12): what is not picture is overwritten where it stands, so that
// no offset has to be put right. The orientation of a HEIC is not in its EXIF.

import { text } from "./exif.js";

const BRANDS = new Set(["heic", "heix", "heim", "heis"]);
const METADATA_ITEMS = new Set(["Exif", "mime", "uri "]); // `mime` is XMP
const PICTURE_BOXES = new Set(["ftyp", "meta", "mdat"]);

export function isHeic(bytes) {
  if (text(bytes, 4, 8) !== "ftyp") return false;
  const length = Math.min(new Reader(bytes, 0).take(4), 256);
  for (let at = 8; at + 4 <= length; at += 4) if (BRANDS.has(text(bytes, at, at + 4))) return true;
  return false;
}

/** The same bytes, changed. Throws RangeError where the list of items cannot be followed. */
export function withoutMetadata(bytes) {
  const meta = [...boxes(bytes, one([...boxes(bytes, { start: 0, end: bytes.length })], "meta"), 4)];
  const kinds = new Map(itemKinds(bytes, one(meta, "iinf")));
  const own = meta.find(({ kind }) => kind === "idat")?.start ?? 0;
  for (const { item, isOwn, start, length } of extents(bytes, one(meta, "iloc"))) {
    const begin = start + (isOwn ? own : 0);
    if (METADATA_ITEMS.has(kinds.get(item))) bytes.fill(0, begin, length ? begin + length : bytes.length);
  }
  return withoutAppended(bytes);
}

/** What phones append, a video for one, becomes free space (14496-12, 8.1.2), and what is behind the boxes goes. */
function withoutAppended(bytes) {
  let last = 0;
  for (const { kind, start, end } of boxes(bytes, { start: 0, end: bytes.length })) {
    if (!PICTURE_BOXES.has(kind)) {
      bytes.set([0x66, 0x72, 0x65, 0x65], last + 4); // free
      bytes.fill(0, start, end);
    }
    last = end;
  }
  return bytes.subarray(0, last);
}

function one(found, wanted) {
  const matching = found.filter(({ kind }) => kind === wanted);
  if (matching.length !== 1) throw new RangeError(`${matching.length} boxes of the kind ${wanted}`);
  return matching[0];
}

/** Kind, and where the content starts and ends, of each up to what is no box. */
function* boxes(bytes, parent, skipped = 0) {
  for (let at = parent.start + skipped; at + 8 <= parent.end; ) {
    const reader = new Reader(bytes, at);
    let length = reader.take(4);
    const kind = text(bytes, at + 4, at + 8);
    reader.take(4);
    if (length === 1) length = reader.take(8);
    else if (length === 0) length = parent.end - at;
    if (length < reader.at - at) return;
    yield { kind, start: reader.at, end: at + length };
    at += length;
  }
}

function* itemKinds(bytes, iinf) {
  for (const infe of boxes(bytes, iinf, bytes[iinf.start] === 0 ? 6 : 8)) {
    const version = bytes[infe.start];
    if (infe.kind !== "infe" || version < 2) continue;
    const reader = new Reader(bytes, infe.start + 4);
    const item = reader.take(version === 2 ? 2 : 4);
    reader.take(2);
    yield [item, text(bytes, reader.at, reader.at + 4)];
  }
}

/** Each stretch of each item (14496-12, 8.11.3); `isOwn`: counted from the box of the description itself. */
function* extents(bytes, iloc) {
  const version = bytes[iloc.start];
  const reader = new Reader(bytes, iloc.start + 4);
  const sizes = reader.take(2);
  const [offsetBytes, lengthBytes, baseBytes, indexBytes] = [12, 8, 4, 0].map((shift) => (sizes >> shift) & 15);
  const wide = version === 2 ? 4 : 2;
  for (let items = reader.take(wide); items > 0; items -= 1) {
    const item = reader.take(wide);
    const isOwn = version > 0 && (reader.take(2) & 15) === 1;
    reader.take(2); // which file: this one
    const base = reader.take(baseBytes);
    for (let count = reader.take(2); count > 0; count -= 1) {
      reader.take(version > 0 ? indexBytes : 0);
      const start = base + reader.take(offsetBytes);
      yield { item, isOwn, start, length: reader.take(lengthBytes) };
    }
  }
}

/** Whole numbers one behind the other, each as wide as is said. */
class Reader {
  constructor(bytes, at) {
    this.bytes = bytes;
    this.at = at;
  }

  take(width) {
    const end = this.at + width;
    if (end > this.bytes.length) throw new RangeError("the file ends within a number");
    let value = 0;
    for (; this.at < end; this.at += 1) value = value * 256 + this.bytes[this.at];
    return value;
  }
}
