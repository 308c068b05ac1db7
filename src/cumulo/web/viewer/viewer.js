// Shows a guest's screen.  The query says where it is, as noVNC's own pages read it: `path`, which
// holds the token; `scale=true` fits the screen to the window, `view_only=true` only looks.
const query = new URLSearchParams(window.location.search);
const scheme = window.location.protocol === "https:" ? "wss" : "ws";
const address = `${scheme}://${window.location.host}/${query.get("path") ?? ""}`;
const RFB_AT = "./novnc/core/rfb.js";
const keys = document.getElementById("keys");

function say(text) {
  document.getElementById("status").textContent = text;
}

function show(RFB) {
  const rfb = new RFB(document.getElementById("screen"), address);
  rfb.scaleViewport = query.get("scale") === "true";
  rfb.viewOnly = query.get("view_only") === "true";
  rfb.addEventListener("connect", () => {
    keys.disabled = rfb.viewOnly;
    say("Connected");
  });
  rfb.addEventListener("desktopname", (event) => {
    document.title = event.detail.name;
    say(`Connected to ${event.detail.name}`);
  });
  rfb.addEventListener("disconnect", (event) => {
    keys.disabled = true;
    say(
      event.detail.clean
        ? "The console has ended."
        : "There is no connection: the address has expired, or the server does not run. Ask for a new one.",
    );
  });
  keys.addEventListener("click", () => rfb.sendCtrlAltDel());
}

// A browser forgets what it was loading when the machine's network changes, as it does whenever
// a guest gets its port; only a page that is loaded anew asks again for a module that failed.
async function retry() {
  const answer = await fetch(RFB_AT, { cache: "no-store" }).catch(() => null);
  if (answer?.status === 404) {
    say("noVNC was not installed with this cloud: its operator needs npm, and then `make setup`.");
    return;
  }
  say("noVNC could not be loaded. Trying again.");
  setTimeout(() => window.location.reload(), 1000);
}

say("Connecting");
import(RFB_AT).then((module) => show(module.default), retry);
