// What React Native 0.81 has in another form than the web, as far as a diagnosis meets it: its form takes strings and
// files by their address, its signals know nothing but `abort`, and there is no `crypto` or `DOMException`.

import { readFileSync } from "node:fs";
import { request as open } from "node:http";

class NativeFormData {
  entries = [];

  append(name, value) {
    this.entries.push([name, value]);
  }

  getParts() {
    return this.entries.map(([name, value]) => {
      const headers = { "content-disposition": `form-data; name="${name}"` };
      if (typeof value !== "object") return { string: String(value), headers };
      if (value.name) headers["content-disposition"] += `; filename="${value.name}"`;
      if (value.type) headers["content-type"] = value.type;
      return { ...value, headers, blob: value instanceof Blob ? value : undefined };
    });
  }
}

class NativeSignal {
  aborted = false;
  listeners = new Set();

  addEventListener(_, listener) {
    this.listeners.add(listener);
  }

  removeEventListener(_, listener) {
    this.listeners.delete(listener);
  }
}

class NativeAbortController {
  signal = new NativeSignal();

  abort() {
    if (this.signal.aborted) return;
    this.signal.aborted = true;
    for (const listener of [...this.signal.listeners]) listener({ type: "abort" });
  }
}

/** React Native's own: by the file's address. */
async function addressed(part) {
  if (part.uri) return readFileSync(new URL(part.uri));
  throw new TypeError("Network request failed"); // of a Blob, which loses its bytes on the way
}

/** Expo's, from SDK 57 on the global `fetch`. */
async function held(part) {
  if (part.blob) return Buffer.from(await part.blob.arrayBuffer());
  throw new Error("Unsupported FormDataPart implementation");
}

async function encoded(form, boundary, bytesOf) {
  const pieces = [];
  for (const part of form.getParts()) {
    const headers = Object.entries(part.headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const content = part.string === undefined ? await bytesOf(part) : Buffer.from(part.string);
    pieces.push(Buffer.from(`--${boundary}\r\n${headers.join("")}\r\n`), content, Buffer.from("\r\n"));
  }
  return Buffer.concat([...pieces, Buffer.from(`--${boundary}--\r\n`)]);
}

/** Resolves with the whole answer, as one over XMLHttpRequest does. */
function sent(url, { method, headers, signal }, body, boundary) {
  return new Promise((resolve, reject) => {
    const lost = () => reject(new TypeError("Network request failed"));
    const type = { "Content-Type": `multipart/form-data; boundary=${boundary}`, "Content-Length": body.length };
    const asked = open(url, { method, headers: { ...headers, ...type } }, (answer) => {
      const chunks = [];
      answer.on("data", (chunk) => chunks.push(chunk));
      answer.on("error", lost);
      const { statusCode: status, headers } = answer;
      answer.on("end", () => resolve(new Response(Buffer.concat(chunks), { status, headers })));
    });
    asked.on("error", lost);
    signal.addEventListener("abort", () => asked.destroy());
    asked.end(body);
  });
}

export function become(platform) {
  const bytesOf = platform === "expo" ? held : addressed;
  globalThis.fetch = async (url, options) => {
    const boundary = "a-boundary-of-this-form";
    return sent(url, options, await encoded(options.body, boundary, bytesOf), boundary);
  };
  globalThis.FormData = NativeFormData;
  globalThis.AbortController = NativeAbortController;
  globalThis.AbortSignal = NativeSignal;
  delete globalThis.DOMException;
  delete globalThis.crypto;
}
