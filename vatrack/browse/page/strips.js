'use strict';
// One bar per track: in which frames the object is seen, occluded, hidden, or in error.

const HIDDEN = 10;
let drawnStrips = '';  // what they depend on; they stay as they are while a video plays

function drawStrips() {
  const signature = JSON.stringify([scene.number, state.score, [...state.classes], state.occlusion,
                                    state.error]);
  if (signature !== drawnStrips) {
    byId('strips').replaceChildren(...stripRows().map(strip));
    drawMarks();
    drawnStrips = signature;
  }
  for (const row of byId('strips').children) {
    const isChosen = row.dataset.key === state.selected;
    row.classList.toggle('chosen', isChosen);
    row.firstChild.setAttribute('aria-pressed', String(isChosen));
  }
  byId('time').style.setProperty('--now', (state.frame + .5) / scene.length);
}

// Truth, each followed by its match; then the predictions without one.
function stripRows() {
  const predictions = shownTracks('prediction');
  const rows = [];
  for (const truth of shownTracks('truth')) {
    const match = matchOf(truth)?.track;
    rows.push({track: truth});
    if (match && predictions.includes(match)) rows.push({track: match, isMatch: true});
  }
  const placed = new Set(rows.map(row => row.track));
  return [...rows, ...predictions.filter(track => !placed.has(track)).map(track => ({track}))];
}

function strip({track, isMatch = false}) {
  const color = colorOf(track);
  const name = `${track.id} ${dataset.classes[track.label]}`;
  const score = track.score === undefined ? '' : ` ${track.score.toFixed(2)}`;
  const label = el('button', {
    type: 'button', class: 'name', 'aria-pressed': 'false',
    title: `${LAYERS[track.layer].title} ${name}`,
    'aria-label': `${LAYERS[track.layer].title} ${name}${score}, ${framesText(track)}`,
    onclick: () => update({selected: track.key === state.selected ? '' : track.key}),
  }, swatch(color, track.layer === 'prediction'), el('span', {}, name), el('small', {}, score));
  const bar = svg('svg', {
    class: 'bar', viewBox: `0 0 ${scene.length} 10`, preserveAspectRatio: 'none', 'aria-hidden': 'true',
    onclick: event => update({frame: frameUnder(event), selected: track.key}),
  }, ...track.spans.map(span => stretch(span, color)), ...errorMarks(track));
  return el('div', {class: isMatch ? 'strip match' : 'strip', 'data-key': track.key}, label, bar);
}

function stretch([start, stop, tenth], color) {
  const place = {x: start, width: stop - start, fill: color};
  if (tenth === HIDDEN) return svg('rect', {...place, y: 3.5, height: 1.6, class: 'hidden-part'});
  return svg('rect', {...place, y: 0, height: 8, opacity: tenth < 0 ? 1 : 1 - .085 * tenth});
}

function errorMarks(track) {
  const marks = [];
  for (const [name, runs] of Object.entries(scene.level?.errors || {})) {
    if (dataset.errors[name].layer !== track.layer || (state.error && name !== state.error)) continue;
    for (const [row, start, stop] of runs) {
      if (row === track.row) {
        marks.push(svg('rect', {class: 'error-mark', x: start, width: stop - start, y: 8.4, height: 1.6}));
      }
    }
  }
  return marks;
}

function frameUnder(event) {
  const box = event.currentTarget.getBoundingClientRect();
  return clamp(Math.floor((event.clientX - box.left) / box.width * scene.length), 0, scene.length - 1);
}

function endsText(track) {
  return `${track.spans[0][0] + 1} to ${track.spans.at(-1)[1]}`;
}

function framesText(track) {
  const number = track.spans.reduce((sum, [start, stop]) => sum + stop - start, 0);
  return `${number} of ${scene.length} frames`;
}

function drawMarks() {
  const marks = byId('marks');
  marks.setAttribute('viewBox', `0 0 ${scene.length} 1`);
  marks.replaceChildren(...errorFrames().map(
    frame => svg('rect', {class: 'error-mark', x: frame, width: 1, height: 1})));
}
