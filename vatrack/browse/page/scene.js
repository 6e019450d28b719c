'use strict';
// The video at hand, and what of it is to be seen under the filters.

let scene = null;

const LAYERS = {truth: {title: 'Truth', letter: 't'}, prediction: {title: 'Prediction', letter: 'p'}};

function openScene(number, content) {
  scene = {...content, number, length: content.images.length, byKey: new Map(), level: null};
  for (const layer of Object.keys(LAYERS)) {
    scene.layers[layer].forEach((track, row) => {
      Object.assign(track, {row, layer, key: LAYERS[layer].letter + track.id});
      scene.byKey.set(track.key, track);
    });
  }
  state.frame = clamp(state.frame, 0, scene.length - 1);
  if (!scene.byKey.has(state.selected)) state.selected = '';
  chooseLevel();
}

// The server gives the errors for every threshold at which other tracks are shown.
function chooseLevel() {
  const level = scene.levels.filter(each => each.from <= state.score).at(-1) || null;
  const video = dataset.videos[scene.number];
  if (level === scene.level && scene.matches && video.errors !== undefined) return;
  scene.level = level;
  scene.matches = {truth: new Map(), prediction: new Map()};
  for (const [track, truth, iou] of level?.pairs || []) {
    scene.matches.truth.set(truth, {row: track, iou});
    scene.matches.prediction.set(track, {row: truth, iou});
  }
  scene.errors = errorTable(level);
  video.errors = level && errorCount(level);
  refreshList();
}

// Names of errors by layer, frame and row.
function errorTable(level) {
  const table = {truth: [], prediction: []};
  for (const [name, runs] of Object.entries(level?.errors || {})) {
    const frames = table[dataset.errors[name].layer];
    for (const [row, start, stop] of runs) {
      for (let frame = start; frame < stop; frame++) {
        const rows = frames[frame] ||= new Map();
        rows.set(row, [...(rows.get(row) || []), name]);
      }
    }
  }
  return table;
}

const errorCount = level => Object.values(level.errors).reduce((sum, runs) => sum + runs.length, 0);
const errorsAt = (layer, row, frame) => scene.errors[layer][frame]?.get(row) || [];

function matchOf(track) {
  const match = scene.matches[track.layer].get(track.row);
  if (!match) return null;
  const other = track.layer === 'truth' ? 'prediction' : 'truth';
  return {track: scene.layers[other][match.row], iou: match.iou};
}

function colorOf(track) {
  const match = track.layer === 'prediction' ? matchOf(track) : null;
  return match ? match.track.color : track.color;
}

const isScored = track => track.layer === 'truth' || track.score >= state.score;
const isOfClass = label => !state.classes.size || state.classes.has(label);

function isOccludedRight(rate) {
  if (rate === null) return seesAllOcclusions();
  return rate >= state.occlusion[0] && rate <= state.occlusion[1];
}

function tenthIsRight(tenth) {
  if (tenth < 0) return seesAllOcclusions();
  const [low, high] = tenth >= 10 ? [100, 100] : [10 * tenth, 10 * tenth + 9];
  return high >= state.occlusion[0] && low <= state.occlusion[1];
}

// Tracks of a layer that pass the filters somewhere in the video.
function shownTracks(layer) {
  return scene.layers[layer].filter(track => isScored(track) && isOfClass(track.label)
    && track.spans.some(span => tenthIsRight(span[2])));
}

// Objects of a frame that pass the filters, large ones first, each with what is known of its track.
function shownObjects(layer, objects, frame) {
  return objects[layer].map(object => describe(layer, object, frame))
    .filter(each => isScored(each.track) && isOfClass(each.label) && isOccludedRight(each.occlusion))
    .sort((a, b) => size(b) - size(a));
}

function describe(layer, object, frame) {
  const track = scene.layers[layer][object.row];
  return {...object, track, frame, label: object.label ?? track.label, color: colorOf(track),
          errors: errorsAt(layer, object.row, frame)};
}

const size = object => object.areas.amodal ?? object.areas.visible ?? 0;

// Whether an object stands out: all do until something is selected, or an error is looked for.
function isInFocus(object) {
  if (state.selected) return object.track.key === state.selected || isMatchOfSelected(object.track);
  return !state.error || object.errors.includes(state.error);
}

function isMatchOfSelected(track) {
  return matchOf(track)?.track.key === state.selected;
}

function caption(object) {
  const parts = [];
  if (state.show.has('ids')) parts.push(object.track.id);
  if (state.show.has('classes')) parts.push(dataset.classes[object.label]);
  if (state.show.has('scores') && object.score !== undefined) parts.push(object.score.toFixed(2));
  return parts.join(' ');
}

// Frames that have an error of the chosen kind, or of any, ascending.
function errorFrames() {
  const frames = new Set();
  for (const [name, runs] of Object.entries(scene.level?.errors || {})) {
    if (state.error && name !== state.error) continue;
    for (const [, start] of runs) frames.add(start);
  }
  return [...frames].sort((a, b) => a - b);
}
