"use strict";
const EVERY_MS = 2000;
let gone = 0;

function lost() {
  if (document.getElementById("lost")) return;
  const line = document.createElement("p");
  line.id = "lost";
  line.className = "notice";
  line.setAttribute("role", "status");
  line.textContent = "bulkforce ui has ended, or does not answer. What is here may be out of date.";
  document.querySelector("main").prepend(line);
}

async function look() {
  if (!document.hidden) {
    try {
      const answer = await fetch(location.href, { cache: "no-store" });
      if (!answer.ok) throw new Error(answer.status);
      const next = new DOMParser().parseFromString(await answer.text(), "text/html");
      const [mine, theirs] = [document.querySelector("main"), next.querySelector("main")];
      gone = 0;
      if (mine.innerHTML !== theirs.innerHTML) {
        const focused = document.activeElement?.getAttribute("href");
        mine.innerHTML = theirs.innerHTML;
        document.title = next.title;
        if (focused) document.querySelector(`main a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
      }
    } catch {
      gone += 1;
      if (gone > 1) lost();
    }
  }
  setTimeout(look, EVERY_MS);
}
setTimeout(look, EVERY_MS);
