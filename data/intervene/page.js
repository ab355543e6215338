"use strict";
// All text of records goes into textContent or a text field's value: nothing of it is ever markup.
const $ = (id) => document.getElementById(id);
let rows = [], shown = null, editing = false, busy = false, taken = null;
let wanted = null; // the record that is being opened, or will be when what is under way is done

function element(tag, text, ...classes) {
  const made = document.createElement(tag);
  made.textContent = text;
  made.classList.add(...classes.filter(Boolean));
  return made;
}

function say(text, bad = false) {
  $("status").textContent = text;
  $("status").classList.toggle("bad", bad);
}

async function ask(path, body) {
  const how = body === undefined ? {} :
    { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const reply = await fetch("api/" + path, how).catch(() => null);
  if (!reply) throw new Error("swr1 intervene does not answer: was it ended?");
  const made = await reply.json();
  if (!reply.ok) throw new Error(made.error || "error " + reply.status);
  return made;
}

const key = (page) => "draft " + page.number + " " + page.digest;

function drawList() {
  const words = $("filter").value.toLowerCase();
  $("list").replaceChildren(...rows.filter((r) => !words || JSON.stringify(r).toLowerCase().includes(words)).map((r) => {
    const item = document.createElement("li"), button = document.createElement("button");
    const state = r.pending ? " · pending" : r.edits ? " · edited" : "";
    button.append(element("span", r.id + " · " + r.sample + state), element("small", r.begins));
    const labels = Object.entries(r.labels).map(([name, label]) => name + " " + label).join(", ");
    if (labels) button.append(element("small", labels));
    button.dataset.number = r.number;
    button.setAttribute("aria-current", String(!!shown && shown.number === r.number));
    button.onclick = () => open(r.number);
    item.append(button);
    return item;
  }));
}

function piece(part) {
  if (part.label === undefined) return element("span", part.text, part.kind);
  const known = ["right", "wrong"].includes(part.label) ? part.label : "";
  const made = element("span", "", "step", known);
  const mark = { right: "✓", wrong: "✗" }[part.label] || (part.label ? "?" : "·");
  made.append(element("span", mark, "mark"), element("span", part.text));
  if (part.label) made.title = part.label + (part.why ? ": " + part.why : "");
  if (known === "wrong" && part.why) made.append(element("span", "  ← " + part.why, "why"));
  return made;
}

function draw(page) {
  shown = page;
  $("title").textContent = page.id + " · sample " + page.sample + (page.task ? " · " + page.task : "");
  $("labels").replaceChildren(...Object.entries(page.labels).map(([name, label]) => element("span", name + ": " + label)));
  $("prompt").replaceChildren(...page.prompt.map((m) => element("p", m.role + ": " + m.text)));
  $("before").replaceChildren(...page.before.map(piece));
  $("after").replaceChildren(...page.after.map(piece));
  $("history").replaceChildren(...page.history.map((h) =>
    element("li", [h.edit, "by " + h.who, h.when, h.from && "taken from " + h.from, h.why].filter(Boolean).join(" · "))));
  drawOffers(page.offers || []);
  $("edit").disabled = !page.editable;
  $("undo").hidden = !page.edits;
  $("continue").hidden = !page.pending;
  leave();
  drawList();
}

function drawOffers(offers) {
  $("known").hidden = !offers.length;
  $("offers").replaceChildren(...offers.map((offer, number) => {
    const item = document.createElement("li"), button = element("button", "Take ");
    button.append(element("kbd", "Alt+" + (number + 1)));
    button.disabled = offer.find === null;
    button.onclick = () => take(number);
    item.append(button, element("span", offer.change), element("small", offer.edit + " · similar " + offer.similar.toFixed(2) + " · " + offer.about));
    return item;
  }));
}

// Changes the text field alone: what is in it is stored when the person stores it.
function take(number) {
  const offer = ((shown && shown.offers) || [])[number];
  if (!offer || busy) return;
  if (!editing) edit();
  if (!editing) return;
  const value = $("text").value, at = offer.find === null ? -1 : ("\n" + value).indexOf("\n" + offer.find);
  if (at < 0) return say("edit " + offer.edit + " does not fit: what it replaced is not in your text", true);
  $("text").value = value.slice(0, at) + offer.put + value.slice(at + offer.find.length);
  $("text").oninput();
  $("text").focus();
  $("text").setSelectionRange(at, at + offer.put.length);
  taken = offer;
  sessionStorage.setItem("from " + key(shown), offer.edit);
  say("edit " + offer.edit + " is in your text; nothing is stored yet");
}

function edit() {
  if (!shown || editing || busy) return;
  if (!shown.editable) return say("this text has carriage returns, which a text field would change: use your editor", true);
  const draft = sessionStorage.getItem(key(shown));
  taken = (shown.offers || []).find((o) => o.edit === sessionStorage.getItem("from " + key(shown))) || null;
  $("text").value = draft === null ? shown.text : draft;
  editing = true;
  toggle();
  $("text").focus();
  if (draft === null) $("text").setSelectionRange(0, 0);
  else say("your unfinished text of this completion is back");
}

function leave() { editing = false; toggle(); }

function toggle() {
  $("text").hidden = $("why-row").hidden = $("store").hidden = $("go").hidden = !editing;
  $("after").hidden = $("edit").hidden = editing;
  $("after-head").textContent = editing ? "Your text" : "After";
}

async function work(words, task) {
  if (busy) return;
  busy = true;
  say(words);
  document.querySelectorAll("#actions button").forEach((b) => { b.disabled = true; });
  try { await task(); } catch (error) { say(error.message, true); }
  busy = false;
  document.querySelectorAll("#actions button").forEach((b) => { b.disabled = false; });
  if (shown) $("edit").disabled = !shown.editable;
  if (wanted !== null) await open(wanted);
}

async function refresh() {
  rows = (await ask("records")).records;
  drawList();
}

async function open(number) {
  wanted = number;
  if (busy) return;
  if (editing && $("text").value !== shown.text) sessionStorage.setItem(key(shown), $("text").value);
  await work("", async () => {
    try { draw(await ask("records/" + number)); } finally { if (wanted === number) wanted = null; }
    say("");
  });
  const button = document.querySelector('#list button[data-number="' + Number(number) + '"]');
  if (button) { button.focus(); button.scrollIntoView({ block: "nearest" }); }
}

function store(goOn) {
  const number = shown.number, draft = key(shown);
  const body = { digest: shown.digest, text: $("text").value, to_end: $("to-end").checked, why: $("why").value,
    from: taken && $("text").value.includes(taken.put) ? taken.edit : "" };
  if (shown.pending && body.text === shown.text) return goOn ? proceed() : undefined;
  return work("storing ...", async () => {
    const page = await ask("records/" + number + "/edit", body);
    sessionStorage.removeItem(draft);
    sessionStorage.removeItem("from " + draft);
    $("why").value = "";
    draw(page);
    say("stored" + (goOn ? "; the policy goes on ..." : "; the policy has not gone on (g)"));
    if (goOn) { draw(await ask("records/" + number + "/continue", {})); say("the policy went on"); }
    await refresh();
  });
}

function proceed() {
  return work("the policy goes on ...", async () => {
    draw(await ask("records/" + shown.number + "/continue", {}));
    await refresh();
    say("the policy went on");
  });
}

function undo() {
  return work("undoing ...", async () => {
    draw(await ask("records/" + shown.number + "/undo", { digest: shown.digest }));
    await refresh();
    say("undone");
  });
}

function step(by) {
  const numbers = [...document.querySelectorAll("#list button")].map((b) => Number(b.dataset.number));
  const at = wanted !== null ? numbers.indexOf(wanted) : shown ? numbers.indexOf(shown.number) : -1;
  const number = numbers[Math.min(numbers.length - 1, Math.max(0, at + by))];
  if (number !== undefined) open(number);
}

$("edit").onclick = edit;
$("store").onclick = () => store(false);
$("go").onclick = () => store(true);
$("continue").onclick = proceed;
$("undo").onclick = undo;
$("filter").oninput = drawList;
$("text").oninput = () => sessionStorage.setItem(key(shown), $("text").value);

document.addEventListener("keydown", (event) => {
  const control = event.ctrlKey || event.metaKey, typing = ["INPUT", "TEXTAREA"].includes(event.target.tagName);
  if (editing && control && event.key === "Enter") { event.preventDefault(); return store(true); }
  if (editing && control && event.key.toLowerCase() === "s") { event.preventDefault(); return store(false); }
  if (event.altKey && !control && /^Digit[1-9]$/.test(event.code)) { event.preventDefault(); return take(Number(event.code[5]) - 1); }
  if (event.key === "Escape") { event.target.blur(); if (editing) leave(); return undefined; }
  if (typing || control || event.altKey) return undefined;
  const does = { j: () => step(1), k: () => step(-1), e: edit, "/": () => $("filter").focus(),
    u: () => shown && shown.edits && undo(), g: () => shown && shown.pending && proceed(),
    p: () => { $("asked").open = !$("asked").open; } }[event.key];
  if (does) { event.preventDefault(); does(); }
  return undefined;
});

refresh().then(() => { if (rows.length) open(rows[0].number); }).catch((error) => say(error.message, true));
