// Fills and draws report.html. `report`, `charts` and `report_explorer.js` stand above it in the page.
const whole = (n) => Math.round(n).toLocaleString("en");
const share = (part, of) => of ? (100 * part / of).toFixed(1) + " %" : "0 %";
const summary = report.summary;
const events = report.words.events;
const PRINTED = 680;  // px between the margins of an A4 page

function addTile(value, text, row = "outcomes", name = "") {
  const tile = document.createElement("div"), number = document.createElement("b"), label = document.createElement("span");
  tile.className = "tile"; number.textContent = value; label.textContent = text;
  if (name) { tile.classList.add(name); tile.hidden = true; number.id = `${name}-number`; label.id = `${name}-words`; }
  tile.append(number, label); byId(row).append(tile);
}
function fillTable(table, head, rows) {
  table.textContent = "";
  const top = table.createTHead(), body = table.createTBody();  // on paper the head stands on each page
  for (const [cells, kind] of [[head, "th"], ...rows.map((row) => [row, "td"])]) {
    const line = (kind === "th" ? top : body).insertRow();
    for (const text of cells) {
      const cell = document.createElement(kind);
      if (kind === "th") cell.scope = "col";
      cell.textContent = text; line.append(cell);
    }
  }
}
function addFigures(id) {  // the table of a chart that has none beside it
  const details = document.createElement("details"), scroll = document.createElement("div");
  details.innerHTML = "<summary>The figures of this chart as a table</summary>";
  scroll.className = "scroll"; scroll.append(document.createElement("table"));
  details.append(scroll); byId(id).after(details);
  return scroll.firstChild;
}

const heading = report.rehearsal ? "what this policy would do" : "what this run did";
byId("title").textContent = report.campaign_named ? `${report.campaign}: ${heading}` : heading[0].toUpperCase() + heading.slice(1);
document.title = `${byId("title").textContent} (Segment Scorer)`;
byId("about").textContent = `campaign ${report.campaign}, ${summary.scheduled_time}; host ${summary.host}; ` +
  (summary.model ? `model ${summary.model}, mode ${summary.mode || "unknown"}` : "model and mode unknown");
for (const text of report.warnings) { const line = document.createElement("p"); line.className = "warn verdict"; line.textContent = text; byId("warnings").append(line); }
byId("story").textContent = report.story.join(" ");
const tellUsers = (row) => row.users === undefined ? "" : row.users === null ? ", under 10 users" : `, ${whole(row.users)} user${row.users === 1 ? "" : "s"}`;
byId("outcomes").style.setProperty("--least", `${Math.max(104, 15 * whole(summary.received).length + 24)}px`);  // no number runs over its tile
addTile(whole(summary.received), "people in the segment" + (report.by_user ? tellUsers(summary) : ""));
for (const each of report.outcomes) addTile(whole(each.people), each.name + tellUsers(each));
// Expected figures and what was asked for have a row of their own, unless one row holds everything.
const row = report.outcomes.length + report.asked.length > 4 ? "figures" : "outcomes";
if (report.expected.kept) addTile(whole(report.expected.kept), `${events} expected` + (report.expected.users && !explorer.uplift && !explorer.unwanted ? `, ${whole(report.expected.users)} if each user counts once` : ""), row);
addTile("", "", row, "worth");
for (const each of report.asked) addTile(each.reached, `${each.what}; asked for ${each.asked}`, row);
if (summary.rejected) addTile(whole(summary.rejected), "lines rejected");

const number = (id) => Number(byId(id).value) || 0;
const given = (id) => byId(id).value !== "" && byId(id).validity.valid;
const effectKnown = () => explorer.uplift || given("effect");
const gain = () => explorer.uplift ? 1 : given("effect") ? number("effect") / 100 : 1;
const profit = (found) => found.expected * gain() * number("value") - found.reach * number("cost");
const moneyGiven = () => !explorer.unwanted && given("value") && given("cost");
const views = {};
let threshold = explorer.threshold;  // null: the function's own threshold, which is unknown
function findBest() {  // where the profit is highest; null where the effect is not known
  if (!moneyGiven() || !effectKnown()) return null;
  let best = null;
  for (const [at, found] of steps) {
    const reached = profit(byId("budget").value.trim() ? exploreAll(at) : found);
    if (!best || reached > best.profit) best = { threshold: at, profit: reached };
  }
  return best;
}
function profits() {
  return Array.from({ length: 201 }, (_, i) => {
    const at = explorer.low + (explorer.high - explorer.low) * i / 200;
    return { threshold: at, profit: profit(exploreAll(at)) };
  });
}
const digits = (x) => x.toLocaleString("en", { minimumFractionDigits: 4, maximumFractionDigits: 15 });
function show() {
  const found = exploreAll(threshold), best = findBest();
  byId("threshold-text").textContent = threshold === null ? (summary.model ? "the treatments' own, which differ" : "the function's own, unknown") : digits(threshold);
  byId("threshold").setAttribute("aria-valuetext", byId("threshold-text").textContent);
  byId("reset").hidden = threshold === explorer.threshold && byId("budget").value.trim() === explorer.budget;
  byId("to-best").hidden = !best || best.threshold === threshold;
  byId("reach-out").textContent = whole(found.reach);
  byId("share-out").textContent = share(found.reach, summary.received);
  byId("expected-out").textContent = whole(found.expected);
  byId("avoided-out").textContent = whole(report.expected.all - found.expected);
  byId("profit-out").textContent = whole(profit(found));
  byId("copied").hidden = threshold === null;
  byId("policy-line").textContent = `threshold = ${threshold}`;
  showBudget();
  for (const status of document.querySelectorAll(".copied [role=status]")) status.textContent = "";
  for (const [id, value] of [["threshold-number", threshold ?? ""], ["people", Math.round(found.reach)]]) if (document.activeElement !== byId(id)) byId(id).value = value;
  const limit = findLimit(threshold);
  byId("limit-note").textContent = limit === null ? "" : `The dotted line is where the budget ends: the last user in it has a best score of about ${digits(limit)}.`;
  byId("explored-at").textContent = `Threshold ${byId("threshold-text").textContent}` + (byId("budget").value.trim() ? `, budget ${byId("budget").value.trim()}` : "");
  for (const name of ["histogram", "curve"]) if (views[name]) { views[name].signal("threshold", threshold).signal("best", best && best.threshold); if (name === "histogram") views[name].signal("limit", limit).signal("reached", limit ?? threshold); views[name].runAsync(); }
}
function showBudget() {  // the option for the command: as typed, or for as many users as the threshold selects
  const typed = byId("budget").value.trim(), selected = usersAt(threshold ?? lowest);
  const own = usersAt(explorer.threshold ?? lowest), isTyped = readBudget(selected) < Infinity;
  const users = asked === null ? selected : Math.round(takeBest(Math.max(0, asked - explorer.fixed), "reach").users) + explorer.fixed_users;
  byId("copied-budget").hidden = !explorer.takes_budget || !(typed || (users > 0 && users < own));
  byId("budget-line").textContent = `--budget ${isTyped ? typed.replace(/\s/g, "") : users}`;
  byId("budget-lead").textContent = typed && !isTyped ? "A budget is a whole number of users from 1, or a share such as 30%."
    : !isTyped ? `Or leave the policy as it is and add this to the command, for exactly ${whole(users)} users:`
    : threshold === explorer.threshold ? "Add this to the command:" : "With that line, add this to the command:";
  for (const part of [byId("budget-line"), byId("copy-budget")]) part.hidden = typed && !isTyped;
  byId("budget-words").textContent = summary.holdout_percent && !(typed && !isTyped) ? "The control group comes out of it." : "";
}
let asked = null;  // the number of people that was typed last
function moveTo(position, wanted = null) {
  asked = wanted; threshold = position; byId("threshold").value = position ?? 0; keepAddress(); show();
}
function describeProfit() {
  byId("profit-title").textContent = effectKnown() ? "Profit by threshold" : "Profit by threshold, at most";
  const rate = `${number("value")} a response, ${number("cost")} a message`;
  byId("profit-text").textContent = `${effectKnown() ? "profit expected" : "profit at most"}: ${rate}` + (explorer.uplift || !given("effect") ? "" : `, effect ${number("effect")} %`);
  document.querySelector(".worth").hidden = !moneyGiven();
  byId("worth-number").textContent = whole(profit(explorer.in_filter ? { reach: summary.kept, expected: report.expected.kept } : explorer.start)); byId("worth-words").textContent = byId("profit-text").textContent;
  const best = findBest();
  const mark = best ? ` The dashed line marks the best profit: ${whole(best.profit)} at ${digits(best.threshold)}.` : "";
  byId("profit-note").textContent = (explorer.uplift
    ? "The value of the extra responses, less the cost of the messages: as good as the model's effects."
    : given("effect")
      ? `It assumes that a message brings ${number("effect")} % more responses than come without one, whoever gets it, and that the scores say how many come without one.` + (report.worth.source && number("effect") === report.worth.effect ? ` ${report.worth.source}` : "")
      : "An upper bound: it counts every expected response as an effect of its message. Some of these people respond without a message. segment-scorer lift measures the effect with a control group: enter it above.") + mark;
}
function updateMoney() {  // value, cost or effect was entered, changed or deleted
  for (const part of document.querySelectorAll(".profit")) part.hidden = !moneyGiven();
  keepAddress(); describeProfit(); show();
  drawing = drawing.then(async () => {
    if (!moneyGiven()) return;
    if (!views.curve) await drawChart("curve");
    const best = findBest();
    views.curve.data("profits", profits()).signal("threshold", threshold).signal("best", best && best.threshold);
    await views.curve.runAsync();
    const every = profits().filter((_, i) => i % 10 === 0);
    fillTable(figures.curve ??= addFigures("curve"), ["threshold", "profit"], every.map((each) => [digits(each.threshold), whole(each.profit)]));
  });
}
const KEPT = ["value", "cost", "effect"];  // in the page's address
function keepAddress() {
  const kept = new URLSearchParams();
  for (const id of KEPT) if (given(id)) kept.set(id, byId(id).value);
  if (byId("budget").value.trim() !== explorer.budget) kept.set("budget", byId("budget").value.trim());
  if (threshold !== explorer.threshold) kept.set("threshold", threshold);
  try { history.replaceState(null, "", `#${kept}`); } catch { /* some browsers refuse for files */ }
}
function readAddress() {
  const kept = new URLSearchParams(location.hash.slice(1));
  for (const id of KEPT) {
    const number = kept.get(id) ?? report.worth[id];
    if (number !== null && number !== "" && Number.isFinite(Number(number))) byId(id).value = number;
  }
  byId("budget").value = (kept.get("budget") ?? explorer.budget).slice(0, 20);
  const at = Number(kept.get("threshold") ?? NaN);
  if (at >= explorer.least && at <= explorer.most) threshold = at;
}
async function copyLine(event) {
  const box = event.currentTarget.parentElement, line = box.querySelector("code");
  try { await navigator.clipboard.writeText(line.textContent); } catch {
    getSelection().selectAllChildren(line); document.execCommand("copy");
  }
  box.querySelector("[role=status]").textContent = "copied";
}
const figures = {};
if (explorer.scores.length) {
  if (explorer.in_filter) byId("explorer-title").textContent += ", in mode filter";
  byId("explorer-note").textContent = explorer.note;
  byId("expected-text").textContent = `${events} expected`;
  byId("avoided-text").textContent = report.words.avoided;
  for (const [name, value] of [["min", explorer.low], ["max", explorer.high], ["step", explorer.step]]) byId("threshold")[name] = value;
  for (const [name, value] of [["min", explorer.least], ["max", explorer.most]]) byId("threshold-number")[name] = value;
  byId("people").max = summary.received;
  byId("budget").closest("label").hidden = !explorer.takes_budget;
  byId("reset").textContent = `back to ${explorer.own}`;
  for (const part of document.querySelectorAll(explorer.unwanted ? ".wanted" : ".unwanted")) part.style.display = "none";
  if (explorer.uplift) document.querySelector("label.effect").remove();
  if (explorer.uplift) { const none = document.createElement("input"); none.id = "effect"; none.hidden = true; byId("explorer").append(none); }
  readAddress();
  byId("threshold").value = threshold ?? 0;
  byId("threshold").addEventListener("input", () => moveTo(Number(byId("threshold").value)));
  byId("threshold-number").addEventListener("input", () => { if (given("threshold-number")) moveTo(number("threshold-number")); });
  byId("people").addEventListener("input", () => { if (given("people")) { byId("budget").value = ""; moveTo(findFor(number("people")), number("people")); } });
  byId("budget").addEventListener("input", () => moveTo(threshold));
  byId("reset").addEventListener("click", () => { byId("budget").value = explorer.budget; moveTo(explorer.threshold); });
  byId("to-best").addEventListener("click", () => moveTo(findBest().threshold));
  for (const id of ["copy-policy", "copy-budget"]) byId(id).addEventListener("click", copyLine);
  for (const id of KEPT) byId(id).addEventListener("input", updateMoney);
  show();
} else byId("explorer").remove();

if (!charts.extra) byId("extra-section").remove();
for (const section of document.querySelectorAll("[data-group]")) {
  const rows = report.groups[section.dataset.group];
  if (!rows.length) { section.remove(); continue; }
  section.querySelector("h2").insertAdjacentHTML("afterend", '<p class="small soft"><i class="key"></i>messaged<i class="key out"></i>not messaged</p>');
  const known = (count, otherwise) => count === null ? otherwise : whole(count), byUser = report.by_user;
  fillTable(section.querySelector("table"), [section.dataset.group, "people", "messaged", "share", `${events} expected`, ...(byUser ? ["users", "users messaged", "expected by user"] : [])],
    rows.map((row) => [row.name, whole(row.people), whole(row.kept), share(row.kept, row.people), known(row.expected, "unknown"),
      ...(byUser ? [known(row.users, "under 10"), known(row.users_kept, "under 10"), known(row.users_expected, row.users_kept === null ? "under 10" : "unknown")] : [])]));
  if (byUser && !byId("by-user")) section.querySelector(".scroll").insertAdjacentHTML("afterend", '<p class="soft small" id="by-user">A user has one or more endpoints, each a person here. By user, the best score of the messaged endpoints counts once.</p>');
}
if (report.journey) {
  fillTable(byId("journey"), ["field", "value", "profiles", "share", "of these, keep"], report.journey.rows.map((row) => [row.field, row.value, whole(row.people), row.share, whole(row.kept)]));
  byId("journey-notes").textContent = report.journey.notes.join(" ");
} else byId("journey-section").remove();
if (report.reasons.length) fillTable(byId("reasons"), ["scores", "people", "raised by", "lowered by"], report.reasons.map((row) => [row.name, whole(row.people), row.raised.join(", "), row.lowered.join(", ")]));
else byId("reasons-section").remove();
byId("verdict").textContent = report.drift.verdict;
if (!report.drift.columns.length) { byId("verdict").className = "soft"; byId("drift").remove(); byId("drift-note").remove(); }
if (report.times) {
  const q = report.times.quantiles, ms = (x) => x < 10 ? x.toFixed(1) : whole(x);
  byId("times-text").textContent = `${whole(report.times.calls)} calls. Half took up to ${ms(q.half)} ms, 95 % up to ${ms(q["95 %"])} ms, 99 % up to ${ms(q["99 %"])} ms; the longest took about ${ms(q.all)} ms.`;
} else { byId("times-text").textContent = "No person was sent to the hook."; byId("times").remove(); }
if (report.problems.length) fillTable(byId("problems"), ["failed calls: the hook", "times"], report.problems.map((row) => [row.problem, whole(row.times)]));
else byId("problems").parentElement.remove();
fillTable(byId("counts"), ["count", "people, lines or calls"], ["received", "kept", "filtered", "failed", "held_out", "excluded", "unreadable", "unscored", "sparse", "opted_out", "suppressed", "one_per_user", "budget", "would_filter", "rejected", "users", "users_selected", "users_kept", "users_held_out", "budget_users", "batches", "attempts"]
  .filter((name) => name !== "budget_users" || summary[name] !== null)
  .map((name) => [name, summary[name] === null ? "unknown" : whole(summary[name])]));
for (const [id, table] of Object.entries(report.tables)) if (byId(id)) fillTable(addFigures(id), table.head, table.rows);
for (const scroll of document.querySelectorAll(".scroll")) {
  scroll.tabIndex = 0; scroll.setAttribute("role", "group");
  scroll.setAttribute("aria-label", `table: ${scroll.closest("section").querySelector("h2").textContent}`);
}

async function drawChart(id) {
  const text = { labelColor: "var(--ink)", titleColor: "var(--soft)", labelFontSize: 12, titleFontSize: 12 };
  const config = {
    background: "transparent", font: "system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif", view: { stroke: null }, aria: false,
    axis: { ...text, gridColor: "var(--line)", domainColor: "var(--line)", tickColor: "var(--line)", labelOverlap: true, labelSeparation: 8, tickCount: 6 }, legend: text,
  };
  const spec = id === "curve" ? { ...charts.curve, datasets: { ...charts.curve.datasets, profits: profits() } } : charts[id];
  if (views[id]) views[id].finalize();
  // For a screen reader the chart is one picture with a name; its parts have none.
  const chart = byId(id), inside = chart.firstElementChild || chart.appendChild(document.createElement("div"));
  inside.setAttribute("aria-hidden", "true");
  chart.setAttribute("role", "img"); chart.setAttribute("aria-label", `${report.names[id]}. A table has its figures.`);
  views[id] = (await window.vegaEmbed(inside, spec, { actions: false, renderer: "svg", config })).view;
}
async function draw() {
  for (const id of Object.keys(charts)) if (byId(id) && id !== "curve") await drawChart(id);
  if (explorer.scores.length) { updateMoney(); show(); }
}
let drawing = draw();
drawing.then(() => drawing).then(() => { document.body.dataset.drawn = "yes"; });
// On paper a chart is as wide as the page's text, not as wide as the window.
addEventListener("beforeprint", () => { for (const view of Object.values(views)) view.signal("width", PRINTED).runAsync(); });
addEventListener("afterprint", () => { dispatchEvent(new Event("resize")); });
