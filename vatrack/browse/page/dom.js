'use strict';
// Small helpers. Texts are set as text, never as markup, so names of videos cannot run.

const SVG = 'http://www.w3.org/2000/svg';
const byId = id => document.getElementById(id);

function fill(node, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.flat(Infinity).filter(child => child !== null && child !== undefined));
  return node;
}

const el = (tag, properties = {}, ...children) =>
  fill(document.createElement(tag), properties, children);
const svg = (tag, properties = {}, ...children) =>
  fill(document.createElementNS(SVG, tag), properties, children);

function option(value, text, isChosen = false) {
  const node = el('option', {value}, text);
  node.selected = isChosen;
  return node;
}

function swatch(color, isHollow = false) {
  const node = el('span', {class: isHollow ? 'swatch hollow' : 'swatch', 'aria-hidden': 'true'});
  node.style.setProperty('--color', color);
  return node;
}

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const count = (number, noun) => `${number.toLocaleString('en')} ${noun}${number === 1 ? '' : 's'}`;
const percent = value => value === null ? 'unknown' : `${value} %`;

// Keeps the entries used last; what is forgotten can be made again.
class Recent extends Map {
  constructor(limit) {
    super();
    this.limit = limit;
  }

  obtain(key, make) {
    const value = this.has(key) ? this.get(key) : make(key);
    this.delete(key);
    this.set(key, value);
    if (this.size > this.limit) this.delete(this.keys().next().value);
    return value;
  }
}

// Tests read these from the page.
function noteError(message) {
  const root = document.documentElement;
  root.dataset.errors = [root.dataset.errors, message].filter(Boolean).join(' | ');
}
window.addEventListener('error', event => noteError(event.message || 'a file did not load'));
window.addEventListener('unhandledrejection', event => noteError(String(event.reason)));
