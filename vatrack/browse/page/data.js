'use strict';
// Documents and pictures: from the server, or from files beside the page.

const DOCUMENTS_KEPT = 64, PICTURES_KEPT = 96, PICTURES_AHEAD = 12;
const documents = new Recent(DOCUMENTS_KEPT);
const pictures = new Recent(PICTURES_KEPT);
const waiting = {};

// Called by the scripts of an export, one document each.
function deliver(name, content) {
  waiting[name]?.(content);
  delete waiting[name];
}

const fromServer = async name => {
  const reply = await fetch(`data/${name}.json`);
  if (!reply.ok) throw new Error(await reply.text());
  return reply.json();
};

const fromFiles = name => new Promise((resolve, reject) => {
  waiting[name] = resolve;
  const script = el('script', {src: `data/${name}.js`});
  script.onload = () => script.remove();
  script.onerror = () => reject(new Error(`data/${name}.js: cannot be read; export the page again`));
  document.head.append(script);
});

const load = document.documentElement.dataset.source === 'files' ? fromFiles : fromServer;

// {value} when it has arrived, {error} when it failed, {} until then; redraws when that changes.
function ask(name) {
  return documents.obtain(name, () => settled(load(name)));
}

function settled(promise) {
  const box = {};
  promise.then(value => { box.value = value; }, error => { box.error = error.message; })
    .finally(requestRender);
  return box;
}

function picture(url) {
  return pictures.obtain(url, () => {
    const image = new Image();
    image.src = url;
    return settled(image.decode().then(() => image));
  });
}

const frameDocument = (video, frame) => `frames-${video}-${Math.floor(frame / dataset.chunk)}`;

// All that a frame needs: {objects, image, isReady, failure}.
function frameContent(scene, frame) {
  const outlines = ask(frameDocument(scene.number, frame));
  const url = scene.images[frame];
  const image = url ? picture(url) : {error: 'missing'};
  return {
    objects: outlines.value ? outlines.value[frame % dataset.chunk] : null,
    image: image.value || null,
    failure: outlines.error || '',
    isReady: Boolean((outlines.value || outlines.error) && (image.value || image.error)),
  };
}

function loadAhead(scene, frame) {
  const length = scene.images.length;
  for (let step = 1; step <= Math.min(PICTURES_AHEAD, length - 1); step++) {
    frameContent(scene, (frame + step) % length);
  }
}
