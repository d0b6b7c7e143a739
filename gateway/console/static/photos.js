// The photos of the request: chosen, dropped or taken, shown, and put away again.

import { byId, bytes, h } from "./dom.js";

const MAX_PHOTOS = 8;

/** Keeps {file, name, url}; `changed` is called after each change, `say` with what a screen reader should hear. */
export function install(changed, say) {
  const chosen = [];
  const list = byId("photos");

  const show = () => {
    list.replaceChildren(...chosen.map(entry));
    changed(chosen);
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
      h("span", { class: "hint" }, bytes(photo.file.size)),
      h("button", { type: "button", class: "remove", "aria-label": `Remove ${photo.name}`, onclick: remove }, "×"),
    );
  };
  const add = (files) => {
    const room = MAX_PHOTOS - chosen.length;
    const taken = [...files].slice(0, room);
    chosen.push(...taken.map((file) => ({ file, name: file.name || "Photo", url: URL.createObjectURL(file) })));
    show();
    say(
      files.length > room
        ? `A request has at most ${MAX_PHOTOS} photos; the others were left out.`
        : `${chosen.length} chosen`,
    );
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
    add([...event.dataTransfer.files].filter((file) => file.size > 0 || file.type));
  });
  document.addEventListener("paste", (event) => {
    if (event.clipboardData?.files.length) add(event.clipboardData.files);
  });
  return chosen;
}
