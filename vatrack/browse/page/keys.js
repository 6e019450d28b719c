'use strict';
// The keyboard.

const KEYS = [
  ['Space', 'play or pause', [' '], () => togglePlay()],
  ['← →', 'previous, next frame', ['ArrowLeft', 'ArrowRight'],
   event => goTo(state.frame + (event.key === 'ArrowLeft' ? -1 : 1) * (event.shiftKey ? 10 : 1))],
  ['Shift ← →', 'ten frames', [], null],
  ['Home End', 'first, last frame', ['Home', 'End'],
   event => goTo(event.key === 'Home' ? 0 : scene.length - 1)],
  ['j k  or  ↓ ↑', 'next, previous video', ['j', 'k', 'ArrowDown', 'ArrowUp'],
   event => stepVideo('jArrowDown'.includes(event.key) ? 1 : -1)],
  ['n p', 'next, previous error', ['n', 'p'], event => stepError(event.key === 'n' ? 1 : -1)],
  ...Object.entries(SHOWN).map(([name, key]) => [
    key, `show ${name}`, [key], () => update({show: toggled(state.show, name)})]),
  ['/', 'search videos', ['/'], () => {
    document.body.classList.add('list-open');
    byId('search').focus();
  }],
  ['Esc', 'clear the selection, close', ['Escape'], () => {
    document.body.classList.remove('list-open');
    document.activeElement?.blur();
    update({selected: ''});
  }],
  ['?', 'this help', ['?'], () => byId('help').showModal()],
];

function startKeys() {
  byId('keys').append(...KEYS.flatMap(([keys, meaning]) => [
    el('dt', {}, keys.split(/\s+/).map(key => key === 'or' ? ' or ' : el('kbd', {}, key))),
    el('dd', {}, meaning)]));
  document.addEventListener('keydown', event => {
    const action = KEYS.find(([, , keys]) => keys.includes(event.key))?.[3];
    if (!action || !scene || isForSomethingElse(event)) return;
    event.preventDefault();
    action(event);
  });
}

function isForSomethingElse(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || byId('help').open) return true;
  if (event.key === 'Escape') return false;
  const {tagName, type} = event.target;
  if (tagName === 'INPUT') return !['range', 'checkbox'].includes(type) || isRangeKey(event);
  if (tagName === 'SELECT' || tagName === 'TEXTAREA') return true;
  return event.key === ' ' && ['BUTTON', 'SUMMARY', 'INPUT'].includes(tagName);
}

// Sliders move by themselves; that of the frames, too.
const isRangeKey = event => event.target.id !== 'slider'
  && (event.key.startsWith('Arrow') || ['Home', 'End', ' '].includes(event.key));
