// The photos of the request: chosen, dropped or taken, made ready to be sent, shown, and put away again.

import { byId, bytes, h } from "./dom.js";
import { withoutMetadata } from "./metadata.js";

const MAX_PHOTOS = 8;
const MAX_BYTES = 20 * 1024 * 1024;

/** What is sent of a file, a Blob; or, as a string, why it is not. */
async function madeReady(file) {
  if (!file.size) return "it is empty.";
  if (file.size > MAX_BYTES) return `it has ${bytes(file.size)}, and up to 20 MB are taken.`;
  try {
    return (await withoutMetadata(file)) ?? "it is neither JPEG, PNG, WebP nor HEIC.";
  } catch {
    return "it cannot be read in full, so that where it was taken could not be removed.";
  }
}

/** Keeps {content, name, url}; `changed` is called after each change, `say` with what a screen reader should hear. */
export function install(changed, say) {
  const chosen = [];
  const list = byId("photos");

  const show = (refusals = []) => {
    list.replaceChildren(...chosen.map(entry));
    byId("left-out").replaceChildren(...refusals.map((text) => h("p", {}, text)));
    changed();
  };
  const entry = (photo) => {
    const picture = h("img", {
      src: photo.url,
      alt: "",
      onerror: () => picture.replaceWith(h("span", { class: "unseen" }, "no preview")),
    });
    const remove = () => {
      const index = chosen.indexOf(photo);
      chosen.splice(index, 1);
      URL.revokeObjectURL(photo.url);
      show();
      say(`${photo.name} removed`);
      (list.querySelectorAll("button")[Math.min(index, chosen.length - 1)] ?? byId("files")).focus();
    };
    return h(
      "li",
      {},
      picture,
      h("span", { class: "photo-name" }, photo.name),
      h("span", { class: "hint" }, bytes(photo.content.size)),
      h("button", { type: "button", class: "remove", "aria-label": `Remove ${photo.name}`, onclick: remove }, "×"),
    );
  };
  const take = async (files) => {
    const room = MAX_PHOTOS - chosen.length;
    const taken = [];
    const refusals = [];
    for (const file of files.slice(0, room)) {
      const name = file.name || "Photo";
      const content = await madeReady(file);
      if (typeof content === "string") refusals.push(`${name} is left out: ${content}`);
      else taken.push({ content, name, url: URL.createObjectURL(content) });
    }
    const more = files.slice(room).map((file) => file.name || "Photo");
    if (more.length) refusals.push(`A request has at most ${MAX_PHOTOS} photos. Left out: ${more.join(", ")}.`);
    chosen.push(...taken);
    show(refusals);
    say(`${chosen.length} chosen`);
  };
  let queue = Promise.resolve(); // one choice after the other, so that together they are not too many
  const add = (files) => {
    const copied = [...files]; // the list of an input or an event is emptied when its handler is done
    if (copied.length && !byId("drop").inert) queue = queue.then(() => take(copied));
  };

  for (const id of ["files", "camera"]) {
    byId(id).addEventListener("change", (event) => {
      add(event.target.files);
      event.target.value = ""; // the same file may be chosen again
    });
  }
  const drop = byId("drop");
  drop.classList.toggle("touch", navigator.maxTouchPoints > 0); // a camera is offered where there may be one
  for (const name of ["dragenter", "dragover"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    add([...event.dataTransfer.files].filter((file) => file.size > 0 || file.type)); // a folder has neither
  });
  document.addEventListener("paste", (event) => add(event.clipboardData?.files ?? []));
  return chosen;
}
