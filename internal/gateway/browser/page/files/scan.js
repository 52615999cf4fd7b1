"use strict";
(() => {
const part = name => document.getElementById("wxgate" + name);
const root = part(""), status = part("-status"), image = part("-image"), number = part("-number"), again = part("-again");
const gone = "pagehide", seen = "visibilitychange";
let turn = 0; // of the code on the page: calls for an earlier code end
let poll; // aborts the poll under way

const show = (state, seconds) => {
  root.dataset.state = state;
  status.textContent = (status.dataset[state] || "").replace("{seconds}", seconds);
  again.hidden = !["expired", "refused", "failed"].includes(state);
};

const pause = seconds => new Promise(done => setTimeout(done, seconds * 1000));

const visible = async () => {
  while (document.hidden) await new Promise(done => document.addEventListener(seen, done, {once: true}));
};

// call makes one call of the API, again and again until the gateway has a final response: the
// body, or null if the call is refused. It returns nothing if the code is no longer on the
// page. A poll has the parameter known, a state. After an error it is "none": the gateway then
// responds at once.
const call = async (mine, method, path, state, until, known = "") => {
  for (let wait = 1; ; wait = Math.min(2 * wait, 16)) {
    if (method === "GET") await visible();
    if (mine !== turn) return;
    if (Date.now() > until) return null;
    let seconds = wait, trouble = "offline";
    const control = new AbortController(), timer = setTimeout(() => control.abort(), 40000);
    poll = method === "GET" ? control : null;
    try {
      const response = await fetch(root.dataset.api + path + (known && "?known=" + (wait > 1 ? "none" : known)), {
        method, cache: "no-store", redirect: "error", signal: control.signal,
        ...(method === "POST" && {body: "{}", headers: {"Content-Type": "application/json"}}),
      });
      if (response.status === 429) {
        trouble = "limited";
        seconds = Number(response.headers.get("Retry-After")) || 10;
      } else if (response.status < 500) {
        const body = !response.ok ? null : response.status === 204 ? {} : await response.json();
        if (mine !== turn) return;
        if (root.dataset.state !== state) show(state);
        return body;
      }
    } catch {
      if (document.hidden && method === "GET") continue;
    } finally {
      clearTimeout(timer);
    }
    if (mine !== turn) return;
    show(trouble, seconds);
    await pause(seconds);
  }
};

const start = async () => {
  const mine = ++turn;
  poll?.abort();
  show("starting");
  image.hidden = true;
  number.replaceChildren();
  const scan = await call(mine, "POST", "", "starting");
  if (mine !== turn) return;
  if (!scan) return show("failed");
  const until = Date.now() + 1000 * scan.expires_in, path = "/" + encodeURIComponent(scan.scan);
  image.src = scan.image;
  image.hidden = false;
  // Spaces between the digits: a screen reader then reads digits, not a number.
  number.replaceChildren(...[...scan.number].flatMap(digit => {
    const box = document.createElement("span");
    box.textContent = digit;
    return [box, " "];
  }));
  let state = "waiting";
  show(state);
  while (state === "waiting" || state === "scanned") {
    const began = Date.now();
    const next = await call(mine, "GET", path, state, until, state);
    if (mine !== turn) return;
    const now = next ? next.state : "expired";
    if (now !== state) show(state = now);
    else if (Date.now() - began < 1000) await pause(1);
  }
  if (state !== "confirmed") return status.dataset[state] || show("failed");
  const finished = await call(mine, "POST", path + "/finish", state, until + 30000);
  if (mine !== turn) return;
  if (!finished) return show("failed");
  location.replace(part("-return").href);
};

document.addEventListener(seen, () => document.hidden && poll?.abort());
addEventListener(gone, () => { turn++; poll?.abort(); });
addEventListener("pageshow", event => event.persisted && start());
again.addEventListener("click", () => { status.focus(); start(); });
start();
})();
