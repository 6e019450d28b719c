'use strict';
// The list of videos: only the rows in sight exist, however many there are.

const ROW = 48, ROWS_AROUND = 6, LONGEST_NAME = 29;
const SORTS = {
  file: ['file order', (a, b) => a.number - b.number],
  name: ['name', (a, b) => a.name.localeCompare(b.name, 'en', {numeric: true})],
  frames: ['most frames', (a, b) => b.frames - a.frames],
  objects: ['most objects', (a, b) => b.objects - a.objects],
  occlusion: ['most occlusion', (a, b) => b.occlusion - a.occlusion],
  errors: ['most errors', (a, b) => (b.errors ?? -1) - (a.errors ?? -1)],
};
let listed = [];

function startList() {
  const classes = dataset.classes.map((name, label) => option(label, name));
  byId('list-class').append(option('', 'any'), ...classes);
  const usable = Object.entries(SORTS).filter(([name]) => isSortUseful(name));
  byId('sort').append(...usable.map(([name, [title]]) => option(name, title)));
  for (const id of ['search', 'list-class']) byId(id).addEventListener('input', filterList);
  byId('sort').addEventListener('input', sortList);
  byId('list').addEventListener('scroll', drawRows, {passive: true});
  byId('list').addEventListener('click', event => {
    const row = event.target.closest('[data-number]');
    if (row) chooseVideo(Number(row.dataset.number));
  });
  new ResizeObserver(drawRows).observe(byId('list'));
  filterList();
}

function isSortUseful(name) {
  if (name === 'errors') return dataset.hasPrediction && dataset.hasTruth;
  return dataset.hasTruth || !['objects', 'occlusion'].includes(name);
}

async function sortList() {
  filterList();
  if (byId('sort').value !== 'errors') return;
  for (const video of dataset.videos.filter(each => each.errors === undefined)) {
    if (byId('sort').value !== 'errors') return;
    byId('list-count').textContent = `Looking for errors in ${video.name} ...`;
    video.errors = await errorsOf(video.number);
  }
  filterList();
}

// Errors of a video that need not be opened; null where there is nothing to compare.
async function errorsOf(number) {
  const {levels} = await load(`video-${number}`).catch(() => ({levels: []}));
  const level = levels.filter(each => each.from <= state.score).at(-1);
  return level ? errorCount(level) : null;
}

function filterList() {
  const words = byId('search').value.toLowerCase().split(/\s+/).filter(Boolean);
  const label = byId('list-class').value;
  listed = dataset.videos.filter(
    video => words.every(word => video.name.toLowerCase().includes(word) || String(video.id) === word)
      && (label === '' || video.labels.includes(Number(label))));
  listed.sort(SORTS[byId('sort').value][1]);
  byId('list-count').textContent = listed.length === dataset.videos.length
    ? count(listed.length, 'video') : `${listed.length} of ${count(dataset.videos.length, 'video')}`;
  byId('list-space').style.height = `${listed.length * ROW}px`;
  showChosen();
  drawRows();
}

function refreshList() {
  if (listed.length) drawRows();
}

function drawRows() {
  const list = byId('list');
  const first = Math.max(Math.floor(list.scrollTop / ROW) - ROWS_AROUND, 0);
  const last = Math.ceil((list.scrollTop + list.clientHeight) / ROW) + ROWS_AROUND;
  byId('list-space').replaceChildren(
    ...listed.slice(first, last).map((video, offset) => listRow(video, first + offset)));
  list.setAttribute('aria-activedescendant', `video-${state.video}`);
}

function listRow(video, position) {
  const isChosen = video.number === state.video;
  const row = el('div', {
    role: 'option', id: `video-${video.number}`, class: 'video', 'data-number': video.number,
    'aria-selected': isChosen, 'aria-setsize': listed.length, 'aria-posinset': position + 1,
    title: video.name,
  }, el('b', {}, shortName(video.name)), el('span', {class: 'muted'}, videoFacts(video)));
  row.setAttribute('aria-selected', String(isChosen));
  row.style.top = `${position * ROW}px`;
  return row;
}

// What tells videos apart stands at the end of long names.
const shortName = name => name.length > LONGEST_NAME ? `…${name.slice(-LONGEST_NAME)}` : name;

function videoFacts(video) {
  const facts = [count(video.frames, 'frame')];
  if (dataset.hasTruth) facts.push(count(video.objects, 'object'));
  if (video.errors) facts.push(count(video.errors, 'error'));
  else if (dataset.hasPrediction) facts.push(count(video.tracks, 'track'));
  return facts.join(' · ');
}

function chooseVideo(number) {
  document.body.classList.remove('list-open');
  update({video: number});
  showChosen();
  drawRows();
}

function stepVideo(step) {
  const position = listed.findIndex(video => video.number === state.video);
  const next = listed[position < 0 ? 0 : clamp(position + step, 0, listed.length - 1)];
  if (next) chooseVideo(next.number);
}

function showChosen() {
  const position = listed.findIndex(video => video.number === state.video);
  const list = byId('list');
  const top = position * ROW;
  if (position < 0 || (top >= list.scrollTop && top + ROW <= list.scrollTop + list.clientHeight)) return;
  list.scrollTop = top - list.clientHeight / 2;
}
