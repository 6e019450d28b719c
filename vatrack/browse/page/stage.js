'use strict';
// The panels: the frame on a canvas, the outlines as SVG above it, the labels as text above that.

const HATCH_PERIOD = 8;  // pixels of the screen
const panels = new Map();

function startPanels() {
  const layers = Object.keys(LAYERS).filter(
    layer => layer === 'truth' ? dataset.hasTruth : dataset.hasPrediction);
  for (const layer of layers.length ? layers : ['truth']) {
    panels.set(layer, makePanel(layer, layers.length ? LAYERS[layer].title : 'Frames'));
  }
  byId('panels').append(...[...panels.values()].map(panel => panel.figure));
  byId('panels').style.setProperty('--panels', panels.size);
}

function makePanel(layer, title) {
  const panel = {
    layer, title, size: {width: 0, height: 0}, canvas: el('canvas', {'aria-hidden': 'true'}), count: el('span', {class: 'muted'}),
    drawing: svg('svg', {role: 'img'}), labels: el('div', {class: 'labels', 'aria-hidden': 'true'}),
    placeholder: el('p', {class: 'placeholder', hidden: true}),
  };
  panel.stage = el('div', {class: 'stage'}, panel.canvas, panel.placeholder, panel.drawing,
                   panel.labels);
  panel.figure = el('figure', {class: 'panel', 'data-layer': layer},
                    el('figcaption', {}, el('b', {}, title), ' ', panel.count), panel.stage);
  // Measured here, because asking while drawing would lay the page out each time.
  new ResizeObserver(([{contentRect}]) => {
    panel.size = {width: contentRect.width, height: contentRect.height};
    requestRender();
  }).observe(panel.stage);
  panel.stage.addEventListener('click', event => {
    const key = event.target.dataset?.key || '';
    update({selected: key === state.selected ? '' : key});
  });
  panel.stage.addEventListener('pointermove', event => showTooltip(event, panel));
  panel.stage.addEventListener('pointerleave', hideTooltip);
  return panel;
}

function drawPanel(panel, content, frame) {
  panel.stage.style.setProperty('--ratio', scene.width / scene.height);
  drawImage(panel, content.image, frame);
  const objects = content.objects ? shownObjects(panel.layer, content.objects, frame) : [];
  panel.objects = new Map(objects.map(object => [object.track.key, object]));
  panel.count.textContent = count(objects.length, 'object');
  panel.drawing.setAttribute('aria-label', spoken(panel, objects, frame));
  panel.drawing.setAttribute('viewBox', `0 0 ${scene.width * scene.unit} ${scene.height * scene.unit}`);
  const pixel = scene.width * scene.unit / Math.max(panel.size.width, 1);
  panel.drawing.replaceChildren(...drawn(objects, pixel));
  drawLabels(panel, objects, 1 / pixel);
}

function spoken(panel, objects, frame) {
  const names = objects.map(object => `${dataset.classes[object.label]} ${object.track.id}`);
  return `${panel.title}, frame ${frame + 1} of ${scene.length}: ${names.join(', ') || 'no objects'}`;
}

function drawImage(panel, image, frame) {
  const {canvas, placeholder} = panel;
  placeholder.hidden = Boolean(image);
  placeholder.textContent = image ? '' : missingText(frame);
  if (!image) {
    canvas.width = canvas.height = 1;
    return;
  }
  if (canvas.width !== image.naturalWidth || canvas.height !== image.naturalHeight) {
    canvas.width = image.naturalWidth;
    canvas.height = image.naturalHeight;
  }
  canvas.getContext('2d').drawImage(image, 0, 0);
}

function missingText(frame) {
  const fault = scene.images[frame] ? 'This file cannot be shown' : 'No picture of this frame';
  return `${fault}: ${scene.files[frame]}`;
}

function drawn(objects, pixel) {
  const hatches = [...new Set(objects.map(object => object.color))];
  return [
    svg('defs', {}, hatches.map(color => hatchPattern(color, pixel))),
    ...objects.map(areas), ...objects.map(outline), ...objects.map(boxes), ...objects.map(hitArea),
  ];
}

const group = (object, name, ...shapes) =>
  svg('g', {class: isInFocus(object) ? name : `${name} faint`}, shapes);

function hatchPattern(color, pixel) {
  const period = HATCH_PERIOD * pixel;
  return svg('pattern', {
    id: hatchId(color), width: period, height: period, patternUnits: 'userSpaceOnUse',
    patternTransform: 'rotate(45)',
  }, svg('rect', {width: period * .46, height: period, fill: '#0c0c10', opacity: .45}),
  svg('rect', {x: period * .1, width: period * .26, height: period, fill: color}));
}

const hatchId = color => `hatch-${color.slice(1)}`;

function areas(object) {
  const {visible, occluded} = object.paths;
  return group(
    object, 'areas',
    visible && state.show.has('visible')
      ? svg('path', {class: 'visible', d: visible, fill: object.color}) : null,
    occluded && state.show.has('occluded')
      ? svg('path', {class: 'occluded', d: occluded, fill: `url(#${hatchId(object.color)})`}) : null);
}

// Solid where the object is visible, dashed where it is hidden; as the pictures have it.
function outline(object) {
  const {amodal, visible, shown, hidden} = object.paths;
  const kind = 'amodal' in object.areas ? 'amodal' : 'visible';
  const whole = kind === 'amodal' ? amodal : visible;
  if (!whole || !state.show.has(kind)) return group(object, 'outline');
  const css = object.track.key === state.selected ? 'outline selected' : 'outline';
  return group(object, css, strokes(hidden, object.color, ' dashed'),
               strokes(shown ?? whole, object.color, ''));
}

// A line of its colour on a darker, wider one.
function strokes(lines, color, css) {
  if (!lines) return [];
  return [svg('path', {class: `halo${css}`, d: lines}),
          svg('path', {class: `line${css}`, d: lines, stroke: color})];
}

function boxes(object) {
  if (!state.show.has('boxes')) return group(object, 'boxes');
  return group(object, 'boxes', Object.entries(object.boxes).map(([kind, box]) => {
    const [x, y, right, bottom] = box.map(side => side * scene.unit);
    const isDashed = kind === 'visible' && 'amodal' in object.boxes;
    return svg('rect', {class: isDashed ? 'box dashed' : 'box', x, y, width: right - x,
                        height: bottom - y, stroke: object.color});
  }));
}

function hitArea(object) {
  const {amodal, visible} = object.paths;
  const [box] = Object.values(object.boxes);
  if (amodal || visible) {
    return svg('path', {class: 'hit', d: `${amodal || ''}${visible || ''}`, 'data-key': object.track.key});
  }
  if (!box) return null;
  const [x, y, right, bottom] = box.map(side => side * scene.unit);
  return svg('rect', {class: 'hit', x, y, width: right - x, height: bottom - y,
                      'data-key': object.track.key});
}
