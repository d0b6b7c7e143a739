// The one thing in a photo's EXIF that its picture needs: which way up it is (EXIF 2.32, 4.6.2 and 4.6.4, tag 274).

export const UPRIGHT = 1;
const TAG = 0x0112;
const SHORT = 3;
const MARK = "Exif\0\0";

/** The bytes as characters, one each. */
export const text = (bytes, start, end) => String.fromCharCode(...bytes.subarray(start, end));

/** Of a block, with its mark or without → 1 to 8; upright where it is broken or says nothing, as for the service. */
export function orientation(block) {
  const tiff = text(block, 0, MARK.length) === MARK ? block.subarray(MARK.length) : block;
  const isLittle = text(tiff, 0, 4) === "II*\0";
  if (!isLittle && text(tiff, 0, 4) !== "MM\0*") return UPRIGHT;
  try {
    const found = firstShort(new DataView(tiff.buffer, tiff.byteOffset, tiff.byteLength), isLittle);
    return found >= 1 && found <= 8 ? found : UPRIGHT;
  } catch (error) {
    if (error instanceof RangeError) return UPRIGHT; // it ends within an entry
    throw error;
  }
}

function firstShort(view, isLittle) {
  const directory = view.getUint32(4, isLittle);
  const count = view.getUint16(directory, isLittle);
  for (let entry = 0; entry < count; entry += 1) {
    const at = directory + 2 + 12 * entry;
    if (view.getUint16(at, isLittle) !== TAG) continue;
    const isOne = view.getUint16(at + 2, isLittle) === SHORT && view.getUint32(at + 4, isLittle) === 1;
    return isOne ? view.getUint16(at + 8, isLittle) : UPRIGHT;
  }
  return UPRIGHT;
}

/** A TIFF structure that says this orientation and nothing else. */
export function block(value) {
  const view = new DataView(new ArrayBuffer(26));
  view.setUint32(0, 0x4d4d002a); // MM\0*
  view.setUint32(4, 8); // where the directory is: behind these two
  view.setUint16(8, 1); // of one entry
  view.setUint16(10, TAG);
  view.setUint16(12, SHORT);
  view.setUint32(14, 1);
  view.setUint16(18, value);
  return new Uint8Array(view.buffer); // the last four bytes: there is no second directory
}
