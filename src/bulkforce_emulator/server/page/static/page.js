// Looks again while there is something to look for, and puts a new <main> in place of the old one.
// Without scripts a <meta http-equiv="refresh"> does the same, less smoothly.
"use strict";

const live = document.getElementById("live");
let last = document.getElementById("main").innerHTML;

function say(text) {
  if (live.textContent !== text) live.textContent = text;
}

/** What a new <main> would lose: the focus, what is open, how far tables are scrolled. */
function memory(main) {
  const focused = document.activeElement;
  return {
    link: main.contains(focused) ? focused.getAttribute("href") : null,
    self: focused === main,
    open: [...main.querySelectorAll("details[open]")].map((each) => each.id),
    scrolled: [...main.querySelectorAll(".wide, pre")].map((each) => [each.scrollLeft, each.scrollTop]),
  };
}

function recall(main, before) {
  for (const id of before.open) document.getElementById(id)?.setAttribute("open", "");
  [...main.querySelectorAll(".wide, pre")].forEach((each, place) => {
    [each.scrollLeft, each.scrollTop] = before.scrolled[place] ?? [0, 0];
  });
  const link = before.link && [...main.querySelectorAll("a")].find((each) => each.getAttribute("href") === before.link);
  if (link) link.focus({ preventScroll: true });
  else if (before.self) main.focus({ preventScroll: true });
}

async function look() {
  let seconds = 3;
  try {
    const answer = await fetch(location.href);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("main");
    const main = document.getElementById("main");
    // Compared as it came: a page that says the same is left alone, so that text can be selected and copied.
    if (fresh.innerHTML !== last) {
      const before = memory(main);
      last = fresh.innerHTML;
      main.replaceWith(fresh);
      recall(fresh, before);
    }
    seconds = Number(fresh.dataset.refreshSeconds);
    say(seconds ? "Live" : "");
  } catch {
    say("The org does not answer. It may have been stopped.");
  }
  if (seconds) setTimeout(look, seconds * 1000);
}

const first = Number(document.getElementById("main").dataset.refreshSeconds);
if (first) {
  say("Live");
  setTimeout(look, first * 1000);
}
