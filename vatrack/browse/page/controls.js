'use strict';
// Toggles, filters, errors and the player's buttons.

const PLAY = 'M4 2l10 6-10 6z', PAUSE = 'M3 2h4v12H3zM9 2h4v12H9z';

function startControls() {
  startToggles();
  startFilters();
  startErrors();
  startPlayer();
  byId('open-list').addEventListener('click', () => document.body.classList.add('list-open'));
  byId('close-list').addEventListener('click', () => document.body.classList.remove('list-open'));
  byId('open-controls').addEventListener('click', () => {
    const isOpen = document.body.classList.toggle('controls-open');
    byId('open-controls').setAttribute('aria-expanded', String(isOpen));
  });
  document.addEventListener('click', event => {
    if (!event.target.closest('#class-filter')) byId('class-filter').open = false;
  });
  byId('open-help').addEventListener('click', () => byId('help').showModal());
  byId('previous-video').addEventListener('click', () => stepVideo(-1));
  byId('next-video').addEventListener('click', () => stepVideo(1));
}

function startToggles() {
  byId('toggles').append(...Object.entries(SHOWN)
    .filter(([name]) => name !== 'scores' || dataset.hasPrediction)
    .map(([name, key]) => el('button', {
      type: 'button', class: 'toggle', 'data-name': name, title: `Show ${name} (${key})`,
      'aria-keyshortcuts': key, onclick: () => update({show: toggled(state.show, name)}),
    }, name)));
}

function startFilters() {
  byId('class-choices').append(...dataset.classes.map((name, label) => el('label', {}, el('input', {
    type: 'checkbox', value: label, onchange: () => update({classes: toggled(state.classes, label)}),
  }), name)));
  const strata = Object.entries(dataset.strata).map(([name, [low, high]]) =>
    option(`${Math.round(100 * low)}-${Math.round(100 * high)}`,
           `${name}: ${Math.round(100 * low)}-${Math.round(100 * high)} %`));
  byId('occlusion').append(option('0-100', 'any'), ...strata, option('', 'range'));
  byId('occlusion').addEventListener('input', event => {
    if (event.target.value) update({occlusion: event.target.value.split('-').map(Number)});
  });
  for (const id of ['occlusion-low', 'occlusion-high']) byId(id).addEventListener('change', readRange);
  const score = byId('score');
  score.max = dataset.thresholds.length - 1;
  score.addEventListener('input', () => update({score: dataset.thresholds[score.value]}));
  byId('score-field').hidden = !dataset.hasPrediction;
}

function readRange() {
  const [low, high] = ['occlusion-low', 'occlusion-high'].map(
    id => clamp(Math.round(Number(byId(id).value)), 0, 100));
  update({occlusion: [Math.min(low, high), Math.max(low, high)]});
}

function startErrors() {
  if (!dataset.hasTruth || !dataset.hasPrediction) return;
  const step = (text, direction, title) => el('button', {
    type: 'button', title, 'aria-label': title, onclick: () => stepError(direction)}, text);
  byId('errors').append(
    step('‹', -1, 'Previous error (p)'), step('›', 1, 'Next error (n)'),
    ...Object.entries(dataset.errors).map(([name, error]) => el('button', {
      type: 'button', class: 'toggle error', 'data-name': name, title: `${error.title}: ${error.meaning}`,
      onclick: () => update({error: state.error === name ? '' : name}),
    }, error.title, ' ', el('b', {}))));
}

function stepError(direction) {
  const frames = errorFrames();
  const found = direction > 0 ? frames.find(frame => frame > state.frame)
    : frames.findLast(frame => frame < state.frame);
  if (found !== undefined) goTo(found);
}

function startPlayer() {
  byId('speed').append(...SPEEDS.map(speed => option(speed, `${speed} fps`)));
  byId('speed').addEventListener('input', event => update({speed: Number(event.target.value)}));
  byId('slider').addEventListener('input', event => goTo(Number(event.target.value)));
  byId('previous').addEventListener('click', () => goTo(state.frame - 1));
  byId('next').addEventListener('click', () => goTo(state.frame + 1));
  byId('play').addEventListener('click', togglePlay);
  new ResizeObserver(sizeThumb).observe(byId('track'));
}

// As wide as a frame of the bars below, so that both agree.
function sizeThumb() {
  if (!scene) return;
  const cell = byId('track').clientWidth / scene.length;
  byId('track').style.setProperty('--thumb', `${Math.max(cell, 10)}px`);
}

function goTo(frame) {
  if (scene) update({frame: clamp(frame, 0, scene.length - 1), isPlaying: false});
}

let lastStep = 0;
function togglePlay() {
  update({isPlaying: !state.isPlaying});
  lastStep = performance.now();
  if (state.isPlaying) requestAnimationFrame(tick);
}

// A frame that is not there yet is waited for.
function tick(now) {
  if (!state.isPlaying || !scene) return;
  const next = (state.frame + 1) % scene.length;
  const isDue = now - lastStep >= 1000 / state.speed - 4;
  if (isDue && frameContent(scene, next).isReady) {
    lastStep = now;
    update({frame: next});
  }
  requestAnimationFrame(tick);
}

function drawControls() {
  for (const button of byId('toggles').children) {
    button.setAttribute('aria-pressed', String(state.show.has(button.dataset.name)));
  }
  for (const box of byId('class-choices').querySelectorAll('input')) {
    box.checked = state.classes.has(Number(box.value));
  }
  byId('class-filter').firstElementChild.textContent = state.classes.size
    ? [...state.classes].map(label => dataset.classes[label]).join(', ') : 'All classes';
  const range = state.occlusion.join('-');
  byId('occlusion').value = [...byId('occlusion').options].some(each => each.value === range) ? range : '';
  [byId('occlusion-low').value, byId('occlusion-high').value] = state.occlusion;
  byId('score').value = dataset.thresholds.indexOf(state.score);
  byId('score-value').textContent = state.score.toFixed(2);
  byId('speed').value = state.speed;
  drawErrors();
  drawPlayer();
}

function drawErrors() {
  for (const button of byId('errors').querySelectorAll('.error')) {
    const name = button.dataset.name;
    button.setAttribute('aria-pressed', String(state.error === name));
    button.lastChild.textContent = scene.level ? scene.level.errors[name].length : 0;
  }
}

function drawPlayer() {
  const play = byId('play');
  play.querySelector('path').setAttribute('d', state.isPlaying ? PAUSE : PLAY);
  play.setAttribute('aria-label', state.isPlaying ? 'Pause' : 'Play');
  const slider = byId('slider');
  slider.max = scene.length - 1;
  slider.value = state.frame;
  slider.setAttribute('aria-valuetext', `frame ${state.frame + 1} of ${scene.length}`);
  byId('clock').replaceChildren(
    el('b', {}, String(state.frame + 1)), ` / ${scene.length}`,
    el('small', {}, `id ${scene.frameIds[state.frame]}`));
}
