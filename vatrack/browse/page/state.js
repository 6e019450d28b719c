'use strict';
// What is looked at. All of it stands in the address, so that a link shows the same to others.

const SHOWN = {visible: 'v', amodal: 'a', occluded: 'o', boxes: 'b', ids: 'i', classes: 'c', scores: 's'};
const SPEEDS = [1, 2, 5, 10, 15, 25, 50];
const ALL_OCCLUSIONS = [0, 100];

let dataset = null;  // document "index", its videos as objects
const state = {
  video: 0, frame: 0, show: new Set(), score: 0, classes: new Set(), occlusion: ALL_OCCLUSIONS,
  error: '', selected: '', speed: 10, isPlaying: false,
};

const defaultShow = () => new Set(Object.keys(SHOWN).filter(name => name !== 'boxes'));

function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  const list = name => (given.get(name) || '').split(',').filter(Boolean);
  const video = dataset.videos.findIndex(each => String(each.id) === given.get('video'));
  const [low, high] = (given.get('occlusion') || '0-100').split('-').map(Number);
  Object.assign(state, {
    video: Math.max(video, 0),
    frame: Math.max(parseInt(given.get('frame'), 10) || 0, 0),
    show: given.has('show') ? new Set(list('show').filter(name => name in SHOWN)) : defaultShow(),
    score: nearestThreshold(given.has('score') ? Number(given.get('score')) : dataset.scoreThr),
    classes: new Set(list('class').map(Number).filter(label => label in dataset.classes)),
    occlusion: low >= 0 && low <= high && high <= 100 ? [low, high] : ALL_OCCLUSIONS,
    error: given.get('error') in dataset.errors ? given.get('error') : '',
    selected: /^[tp]-?\d+$/.test(given.get('select') || '') ? given.get('select') : '',
    speed: SPEEDS.includes(Number(given.get('speed'))) ? Number(given.get('speed')) : 10,
  });
}

function nearestThreshold(score) {
  return dataset.thresholds.reduce(
    (best, each) => Math.abs(each - score) < Math.abs(best - score) ? each : best);
}

function address() {
  const parts = new URLSearchParams({video: dataset.videos[state.video].id, frame: state.frame});
  const shown = [...state.show].sort().join(',');
  if (shown !== [...defaultShow()].sort().join(',')) parts.set('show', shown);
  if (state.score !== dataset.scoreThr) parts.set('score', state.score);
  if (state.classes.size) parts.set('class', [...state.classes].join(','));
  if (!seesAllOcclusions()) parts.set('occlusion', state.occlusion.join('-'));
  if (state.error) parts.set('error', state.error);
  if (state.selected) parts.set('select', state.selected);
  if (state.speed !== 10) parts.set('speed', state.speed);
  return `#${parts.toString().replaceAll('%2C', ',')}`;
}

const seesAllOcclusions = () => state.occlusion[0] === 0 && state.occlusion[1] === 100;

// Browsers allow only some changes of the address per second.
let addressTimer = 0;
function writeAddress() {
  clearTimeout(addressTimer);
  addressTimer = setTimeout(() => history.replaceState(null, '', address()),
                            state.isPlaying ? 500 : 120);
}

function update(changes) {
  const leaves = 'video' in changes && changes.video !== state.video;
  if ('score' in changes) dataset.videos.forEach(video => { delete video.errors; });
  Object.assign(state, leaves ? {frame: 0, selected: ''} : {}, changes);
  writeAddress();
  requestRender();
}

function toggled(set, name) {
  const copy = new Set(set);
  if (!copy.delete(name)) copy.add(name);
  return copy;
}
