// What pages do beyond links and forms; without it they work all the same, only less comfortably.
(() => {
  "use strict";
  const $ = (words, root = document) => root.querySelector(words);

  // The menu is open on wide screens and closed on narrow ones.
  const burger = $(".burger");
  const narrow = window.matchMedia("(max-width: 60rem)");
  const fold = () => { if (burger) burger.open = !narrow.matches; };
  narrow.addEventListener("change", fold);
  fold();

  // A button with data-confirm asks before it sends its form.
  const dialog = $("#confirm");
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-confirm]");
    if (!button || button.dataset.sure) return;
    event.preventDefault();
    $("#confirm-words").textContent = button.dataset.confirm;
    dialog.onclose = () => {
      if (dialog.returnValue !== "yes") return;
      button.dataset.sure = "1";
      button.click();
      delete button.dataset.sure;
    };
    dialog.returnValue = "";
    dialog.showModal();
  });
  dialog.addEventListener("click", (event) => {
    const answer = event.target.dataset.answer;
    if (answer) dialog.close(answer);
  });

  // One box ticks all others of its form.
  document.addEventListener("change", (event) => {
    if (!event.target.matches("[data-all]")) return;
    for (const box of event.target.form.querySelectorAll("input[name=id]")) box.checked = event.target.checked;
  });

  // What is ticked stays ticked when a list is drawn anew; what somebody types into is left alone.
  let ticked = [];
  document.addEventListener("htmx:beforeSwap", (event) => {
    ticked = [...event.detail.target.querySelectorAll("input[name=id]:checked")].map((box) => box.value);
  });
  document.addEventListener("htmx:afterSwap", () => {
    for (const value of ticked) {
      const box = $(`input[name=id][value="${CSS.escape(value)}"]`);
      if (box) box.checked = true;
    }
  });

  // Lists follow the event log: what it tells draws anew what is shown of that kind.
  const live = () => new Set([...document.querySelectorAll("[data-live]")].flatMap((e) => e.dataset.live.split(" ")));
  if (live().size && window.EventSource) {
    let waiting = 0;
    const source = new EventSource("/stream?kinds=" + encodeURIComponent([...live()].join(",")) + "&after=" + document.body.dataset.seen);
    // A request on its way may bring what was before, and takes with it what waits for its element.
    const redraw = () => {
      if ($("#list.htmx-request")) waiting = window.setTimeout(redraw, 100);
      else window.htmx.trigger(document.body, "changed");
    };
    source.addEventListener("change", () => {
      window.clearTimeout(waiting);
      waiting = window.setTimeout(redraw, 200);
    });
    // A machine whose network changes, as it does for each guest's port, breaks off what is loading.
    document.addEventListener("htmx:sendError", (event) => {
      if (!event.target.matches("#list")) return;
      window.clearTimeout(waiting);
      waiting = window.setTimeout(redraw, 1000);
    });
    // Where too many listen already, look now and then.
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) window.setInterval(() => window.htmx.trigger(document.body, "changed"), 10000);
    });
    window.addEventListener("pagehide", () => source.close());
  }

  // A form with data-upload sends its file by itself, and tells how far it is.
  const upload = (form) => {
    const file = $("input[type=file]", form).files[0];
    const progress = $("progress", form), told = $("[data-told]", form);
    if (!file) return;
    const where = form.dataset.upload.replace("FILE", encodeURIComponent(($("[name=name]", form) || {}).value || file.name));
    const request = new XMLHttpRequest();
    request.open("PUT", where);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.setRequestHeader("X-CSRF-Token", $("[name=csrf]", form).value);
    progress.hidden = false;
    request.upload.onprogress = (event) => {
      progress.max = event.total;
      progress.value = event.loaded;
      told.textContent = `${Math.floor((100 * event.loaded) / event.total)} %`;
    };
    request.onload = () => {
      if (request.status < 300) { window.location = form.dataset.then; return; }
      progress.hidden = true;
      told.className = "notice bad";
      told.textContent = request.responseText.slice(0, 2000);
    };
    request.onerror = () => { told.className = "notice bad"; told.textContent = form.dataset.broken; };
    request.send(file);
  };
  document.addEventListener("submit", (event) => {
    if (!event.target.dataset.upload) return;
    event.preventDefault();
    upload(event.target);
  });

  // Saving as a file what stands in an element.
  document.addEventListener("click", (event) => {
    const data = event.target.dataset;
    if (!data || !data.save) return;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([$(data.save).textContent], { type: "text/plain" }));
    link.download = data.file;
    link.click();
  });

  // Copying what stands in an element.
  document.addEventListener("click", (event) => {
    const of = event.target.dataset && event.target.dataset.copy;
    if (of) navigator.clipboard.writeText($(of).textContent);
  });
})();
