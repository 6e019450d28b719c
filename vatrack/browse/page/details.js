'use strict';
// What is known of the selected object, and of the one under the pointer.

function drawDetails() {
  const track = scene.byKey.get(state.selected);
  byId('details').replaceChildren(...(track ? trackDetails(track) : overview()));
}

function overview() {
  const missing = scene.images.flatMap((url, frame) => url ? [] : [frame]);
  const nodes = [el('p', {class: 'muted'}, 'Select an object in a panel or in the bars to see it '
    + 'followed through the video.')];
  if (scene.levels.length) {
    nodes.push(el('p', {class: 'muted'}, `Predictions are compared by ${scene.comparedKind} masks.`));
  }
  if (missing.length) nodes.push(missingList(missing));
  return nodes;
}

function missingList(frames) {
  const rows = frames.slice(0, 200).map(frame => el('li', {}, scene.files[frame]));
  if (frames.length > rows.length) rows.push(el('li', {}, `and ${frames.length - rows.length} more`));
  return el('details', {}, el('summary', {}, `${count(frames.length, 'frame')} without picture`),
            el('ul', {class: 'files'}, rows));
}

function trackDetails(track) {
  const object = currentObject(track);
  const match = matchOf(track);
  const facts = [...trackFacts(track, match), ...(object ? objectFacts(object, match) : [])];
  return [
    el('h3', {}, swatch(colorOf(track), track.layer === 'prediction'),
       `${LAYERS[track.layer].title} ${track.id} `,
       el('span', {class: 'muted'}, dataset.classes[track.label])),
    el('dl', {}, facts.flatMap(([name, value]) => [el('dt', {}, name), el('dd', {}, value)])),
    object ? null : el('p', {class: 'muted'}, 'Not in this frame.'),
    el('button', {type: 'button', onclick: () => update({selected: ''})}, 'Clear selection'),
  ].filter(Boolean);
}

function currentObject(track) {
  const objects = ask(frameDocument(scene.number, state.frame)).value;
  const found = objects?.[state.frame % dataset.chunk][track.layer].find(each => each.row === track.row);
  return found ? describe(track.layer, found, state.frame) : null;
}

function trackFacts(track, match) {
  const facts = [['present in', framesText(track)]];
  if (track.spans.length) facts.push(['from, to', endsText(track)]);
  if (track.score !== undefined) facts.push(['track score', track.score.toFixed(3)]);
  facts.push(['track occlusion', percent(track.occlusion)]);
  if (!scene.levels.length) return facts;
  if (match && isScored(match.track)) {
    const key = match.track.key;
    facts.push(['match', el('button', {type: 'button', class: 'link', onclick: () => update({selected: key})},
                            `${LAYERS[match.track.layer].title.toLowerCase()} ${match.track.id}`)]);
    facts.push(['video IoU', match.iou.toFixed(2)]);
  } else {
    facts.push(['match', 'none']);
  }
  return facts;
}

function objectFacts(object, match) {
  const facts = [];
  if (object.score !== undefined) facts.push(['score', object.score.toFixed(3)]);
  if (object.label !== object.track.label) facts.push(['class here', dataset.classes[object.label]]);
  facts.push(['occlusion', percent(object.occlusion)]);
  for (const [kind, area] of Object.entries(object.areas)) {
    facts.push([`${kind} area`, `${area.toLocaleString('en')} px`]);
  }
  for (const [kind, iou] of Object.entries(frameIou(object, match) || {})) {
    facts.push([`${kind} IoU`, iou.toFixed(2)]);
  }
  if (object.track.crowd) facts.push(['crowd', 'yes']);
  const errors = object.errors.map(name => dataset.errors[name].title);
  if (errors.length) facts.push(['errors', el('span', {class: 'bad'}, errors.join(', '))]);
  return facts;
}

// IoU with the match in this frame, by kind; the numbers stand with the prediction.
function frameIou(object, match) {
  if (!match) return null;
  if (object.track.layer === 'prediction') {
    return object.ious.find(([truth]) => truth === match.track.row)?.[1];
  }
  const other = currentObject(match.track);
  return other?.ious.find(([truth]) => truth === object.row)?.[1];
}

function showTooltip(event, panel) {
  const object = panel.objects?.get(event.target.dataset?.key);
  if (!object) {
    hideTooltip();
    return;
  }
  const tooltip = byId('tooltip');
  tooltip.replaceChildren(...tooltipLines(object));
  tooltip.hidden = false;
  const left = Math.min(event.clientX + 14, innerWidth - tooltip.offsetWidth - 8);
  const top = Math.min(event.clientY + 14, innerHeight - tooltip.offsetHeight - 8);
  tooltip.style.transform = `translate(${left}px, ${top}px)`;
}

function tooltipLines(object) {
  const score = object.score === undefined ? '' : `, score ${object.score.toFixed(2)}`;
  const errors = object.errors.map(name => el('div', {class: 'bad'},
    `${dataset.errors[name].title}: ${dataset.errors[name].meaning}`));
  return [
    el('div', {}, swatch(object.color), el('b', {}, `${object.track.id} ${dataset.classes[object.label]}`),
       score),
    el('div', {class: 'muted'}, `${size(object).toLocaleString('en')} px, occlusion `
      + percent(object.occlusion)),
    ...errors,
  ];
}

function hideTooltip() {
  byId('tooltip').hidden = true;
}
