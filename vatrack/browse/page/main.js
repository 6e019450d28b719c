'use strict';
// The loop: whatever changes asks for a redraw, and a redraw shows the state.

let isRequested = false;

function requestRender() {
  if (isRequested || !dataset) return;
  isRequested = true;
  setTimeout(() => {
    isRequested = false;
    render();
  });
}

function render() {
  const answer = ask(`video-${state.video}`);
  if (answer.error) {
    report(answer.error);
    return;
  }
  if (!answer.value) return;
  if (scene?.number !== state.video) {
    openScene(state.video, structuredClone(answer.value));
    sizeThumb();
  }
  chooseLevel();
  const content = frameContent(scene, state.frame);
  drawTop();
  drawControls();
  const isLaidOut = [...panels.values()].every(panel => panel.size.width);
  if (!content.isReady || !isLaidOut) return;  // the last picture stays until the next one is there
  report(content.failure);
  for (const panel of panels.values()) drawPanel(panel, content, state.frame);
  drawStrips();
  drawDetails();
  loadAhead(scene, state.frame);
  document.documentElement.dataset.shown = `${scene.id}/${state.frame}`;
}

function drawTop() {
  const {name, width, height, length} = scene;
  byId('video-name').textContent = name;
  byId('video-name').title = name;
  byId('video-facts').textContent = `${width} × ${height}, ${count(length, 'frame')}`;
  document.title = `${name} - vatrack browse`;
}

function report(message) {
  byId('notice').hidden = !message;
  byId('notice').textContent = message;
  if (message) document.documentElement.dataset.shown = 'error';
}

async function start() {
  const content = await load('index');
  dataset = {...content, videos: content.videos.map((row, number) => Object.fromEntries(
    [['number', number], ...content.columns.map((name, column) => [name, row[column]])]))};
  byId('dataset').textContent = dataset.annotations;
  byId('facts').textContent = dataset.results ? `with ${dataset.results}` : 'without predictions';
  readAddress();
  startPanels();
  startControls();
  startKeys();
  startList();
  window.addEventListener('hashchange', () => {
    readAddress();
    requestRender();
    showChosen();
    refreshList();
  });
  requestRender();
}

start().catch(error => {
  report(error.message);
  noteError(error.message);
});
