'use strict';
// Labels of objects: beside them, clear of each other as far as there is room.

const LABEL_HEIGHT = 17, LABEL_PADDING = 4, LABEL_SHARE = .12, MOST_STEPS = 9;
const ruler = document.createElement('canvas').getContext('2d');
const widths = new Recent(5000);

function drawLabels(panel, objects, toScreen) {
  const {width, height} = panel.size;
  const captions = fittingCaptions(objects, width * height);
  const taken = [];
  panel.labels.replaceChildren(...objects.flatMap((object, position) => {
    const anchor = anchorOf(object);
    if (!captions[position] || !anchor) return [];
    const [x, y] = anchor.map(side => side * toScreen);
    const wide = labelWidth(captions[position]);
    const place = freePlace({x: x - wide / 2, y: y - LABEL_HEIGHT - 3, wide}, {width, height}, taken);
    taken.push(place);
    return [labelNode(object, captions[position], place)];
  }));
}

function anchorOf(object) {
  if (object.paths.anchor) return object.paths.anchor;
  const [box] = Object.values(object.boxes);
  return box ? [scene.unit * (box[0] + box[2]) / 2, scene.unit * box[1]] : null;
}

// On crowded or small frames ids alone, or nothing but the selected object.
function fittingCaptions(objects, area) {
  const whole = objects.map(caption);
  const fits = texts => texts.reduce(
    (sum, text) => sum + (text ? labelWidth(text) * LABEL_HEIGHT : 0), 0) <= LABEL_SHARE * area;
  const short = objects.map(object => state.show.has('ids') ? String(object.track.id) : '');
  const texts = fits(whole) ? whole : fits(short) ? short : objects.map(() => '');
  return texts.map((text, position) =>
    objects[position].track.key === state.selected ? whole[position] : text);
}

function labelWidth(text) {
  return widths.obtain(text, () => {
    ruler.font = '600 11px system-ui, sans-serif';
    return Math.ceil(ruler.measureText(text).width) + 2 * LABEL_PADDING;
  });
}

// The wished place, or the nearest free one above or below it.
function freePlace({x, y, wide}, stage, taken) {
  const left = clamp(x, 0, Math.max(stage.width - wide, 0));
  const lowest = Math.max(stage.height - LABEL_HEIGHT, 0);
  const start = clamp(y, 0, lowest);
  for (let step = 0; step < 2 * MOST_STEPS; step++) {
    const top = start + (step % 2 ? -1 : 1) * Math.ceil(step / 2) * LABEL_HEIGHT;
    const isFree = top >= 0 && top <= lowest && !taken.some(
      other => left < other.left + other.wide && other.left < left + wide
        && top < other.top + LABEL_HEIGHT && other.top < top + LABEL_HEIGHT);
    if (isFree) return {left, top, wide};
  }
  return {left, top: start, wide};
}

function labelNode(object, text, place) {
  const node = el('span', {class: isInFocus(object) ? 'label' : 'label faint'}, text);
  if (object.errors.length) node.classList.add('wrong');
  node.style.cssText = `left:${place.left}px;top:${place.top}px;background:${object.color};`
    + `color:${textColor(object.color)}`;
  return node;
}

function textColor(color) {
  const [red, green, blue] = [1, 3, 5].map(start => parseInt(color.slice(start, start + 2), 16));
  return .2126 * red + .7152 * green + .0722 * blue > 110 ? '#101014' : '#ffffff';
}
