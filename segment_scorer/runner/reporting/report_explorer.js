// Counts people, users and expected events at any threshold and under any budget. `report` stands
// above it in the page, and `report_page.js`, which shows the figures, below it.
const byId = (id) => document.getElementById(id);
const explorer = report.explorer;
const cumulative = [];  // people and expected events with a score below each bucket
let people = 0, expected = 0;
for (const [bucket, count] of explorer.scores) {
  cumulative.push([bucket, people, expected]);
  people += count; expected += count * Math.min(explorer.most, (bucket + explorer.within) / explorer.buckets);
}
const up = explorer.keep === "at_least";
function countFrom(below) {
  return { reach: explorer.fixed + (up ? people - below[1] : below[1]), expected: explorer.fixed_expected + (up ? expected - below[2] : below[2]) };
}
function explore(threshold) {
  return threshold === explorer.threshold ? explorer.start : byBuckets(threshold);
}
function byBuckets(threshold) {
  const from = Math.round(threshold * explorer.buckets);
  const low = search(cumulative, (each) => each[0] >= from);
  return countFrom(low < cumulative.length ? cumulative[low] : [0, people, expected]);
}
// Under a budget, the users with the best scores: each bucket once, the best first.
const ranked = [];
{
  let users = 0, some = 0, sum = 0;
  const best = [...explorer.scores].sort((one, other) => up ? other[0] - one[0] : one[0] - other[0]);
  const value = (bucket) => Math.min(explorer.most, (bucket + explorer.within) / explorer.buckets);
  const rows = explorer.users.length ? explorer.users : best.map(([bucket, count]) => [bucket, count, count, sum += count * value(bucket)]);
  for (const [bucket, count, reached, upTo] of rows) { users += count; some += reached; ranked.push({ bucket, users, reach: some, expected: upTo }); }
}
const nobody = { users: 0, reach: 0, expected: 0 };
function search(list, isFound) {  // the first place from which on everything is found; else the end
  let low = 0, high = list.length;
  while (low < high) { const middle = (low + high) >> 1; if (isFound(list[middle])) high = middle; else low = middle + 1; }
  return low;
}
function rankAt(threshold) {  // how many buckets a threshold selects
  const from = Math.round(threshold * explorer.buckets);
  return search(ranked, (each) => up ? each.bucket < from : each.bucket >= from);
}
const usersAt = (threshold) => explorer.fixed_users + (rankAt(threshold) ? ranked[rankAt(threshold) - 1].users : 0);
function takeBest(wanted, by = "users") {  // the best users, up to a number of users or people; inside a bucket in proportion
  const at = search(ranked, (each) => each[by] >= wanted);
  if (at === ranked.length) return ranked.length ? ranked[ranked.length - 1] : nobody;
  const before = at ? ranked[at - 1] : nobody, size = ranked[at][by] - before[by], part = size ? (wanted - before[by]) / size : 0;
  const between = (name) => before[name] + part * (ranked[at][name] - before[name]);
  return { users: between("users"), reach: between("reach"), expected: between("expected") };
}
function readBudget(selected) {  // the field, as run reads --budget: a number of users, or a share of those selected
  const found = /^([0-9][0-9,_]*|[0-9]*\.?[0-9]+%)$/.exec(byId("budget").value.replace(/\s/g, ""));
  if (!found || !explorer.takes_budget) return Infinity;
  const number = Number(found[1].replace(/[,_%]/g, ""));
  return !number ? Infinity : found[1].endsWith("%") ? (number > 100 ? Infinity : Math.floor(number * selected / 100 + 0.5)) : number;
}
// Where the function's own threshold is unknown, a budget is of everybody with a score.
const lowest = up ? explorer.least : explorer.most + 1 / explorer.buckets;
function exploreAll(threshold) {  // with the budget, if there is one
  const isOwn = threshold === explorer.threshold, typed = byId("budget").value.trim();
  if (isOwn && typed === explorer.budget) return explorer.start;
  const all = isOwn && explorer.budget && explorer.takes_budget ? byBuckets(threshold ?? lowest) : explore(threshold);
  const selected = usersAt(threshold ?? lowest), budget = readBudget(selected), scored = selected - explorer.fixed_users;
  if (budget >= selected) return all;
  const best = takeBest(Math.min(budget, scored)), rest = explorer.fixed_users ? Math.max(0, budget - scored) / explorer.fixed_users : 0;
  const more = countFurther(threshold, Math.min(budget, scored));
  return { reach: best.reach + more.reach + rest * explorer.fixed, expected: best.expected + more.expected + rest * explorer.fixed_expected };
}
function findLimit(threshold) {  // the score at which a budget ends, above the threshold (or below it, where low scores are kept)
  const selected = usersAt(threshold ?? lowest), scored = selected - explorer.fixed_users, budget = readBudget(selected);
  if (budget >= scored) return null;
  const last = ranked[search(ranked, (each) => each.users >= budget)];
  return (last.bucket + (up ? 0 : 1)) / explorer.buckets;
}
// `ranked` holds the endpoints that the policy's own threshold selects. At another one, these are the further endpoints
// of the users chosen, or those fewer: known for all users, and taken in proportion to the users chosen.
function countFurther(threshold, chosen) {
  if (explorer.threshold === null || threshold === explorer.threshold || !explorer.users.length) return nobody;
  const [wide, narrow] = [threshold, explorer.threshold].sort((one, other) => rankAt(other) - rankAt(one));
  const [all, few] = [byBuckets(wide), byBuckets(narrow)], [last, first] = [wide, narrow].map((at) => ranked[rankAt(at) - 1] || nobody);
  const share = first.users ? Math.min(1, chosen / first.users) * (wide === threshold ? 1 : -1) : 0;
  return { reach: share * (all.reach - few.reach - last.reach + first.reach), expected: share * (all.expected - few.expected - last.expected + first.expected) };
}
// Every threshold that makes a difference: where each bucket begins, and above the last one.
const steps = cumulative.map((each) => [each[0] / explorer.buckets, countFrom(each)]);
if (steps.length) steps.push([Math.min(explorer.most, (cumulative[cumulative.length - 1][0] + 1) / explorer.buckets), countFrom([0, people, expected])]);
function findFor(wanted) {  // the threshold that messages as many people as possible, and at most `wanted`
  let best = null;
  for (const [at, found] of steps) if (found.reach <= wanted && (!best || found.reach > best[1].reach)) best = [at, found];
  return (best || (up ? steps[steps.length - 1] : steps[0]))[0];
}
