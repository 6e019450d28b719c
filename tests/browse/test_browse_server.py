from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np
import pytest
from browse_data import FRAMES, H, W, make_dataset
from PIL import Image

from vatrack.browse import BrowseServer, Source
from vatrack.browse import server as server_module

Reply = tuple[int, dict[str, str], bytes]


@contextmanager
def running(source: Source) -> Iterator[BrowseServer]:
    with BrowseServer(source, port=0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={'poll_interval': .01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope='module')
def server(source) -> Iterator[BrowseServer]:
    with running(source) as server:
        yield server


def ask(server: BrowseServer, path: str, method: str = 'GET', **headers: str) -> Reply:
    connection = http.client.HTTPConnection(*server.server_address[:2], timeout=30)
    connection.putrequest(method, path, skip_host='Host' in headers, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name.replace('_', '-'), value)
    connection.endheaders()
    reply = connection.getresponse()
    content = reply.status, dict(reply.getheaders()), reply.read()
    connection.close()
    return content


def image(body: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR)


@pytest.mark.parametrize('path, content_type', [
    ('/', 'text/html; charset=utf-8'), ('/?a=1', 'text/html; charset=utf-8'),
    ('/style.css', 'text/css; charset=utf-8'), ('/main.js', 'text/javascript; charset=utf-8'),
    ('/data/index.json', 'application/json'), ('/data/video-0.json', 'application/json'),
    ('/data/frames-0-0.json', 'application/json')])
def test_routes_and_their_types(server, path, content_type):
    status, headers, body = ask(server, path)
    assert (status, headers['Content-Type'], int(headers['Content-Length'])) == (
        200, content_type, len(body))
    assert "default-src 'none'; script-src 'self'" in headers['Content-Security-Policy']
    assert headers['X-Content-Type-Options'] == 'nosniff'


def test_every_file_that_the_page_names_is_there(server):
    names = [name for name in server.files if name != 'index.html']
    page = ask(server, '/')[2].decode()
    assert sorted(names) == sorted(part.split('"')[0] for part in page.replace(
        'href="', 'src="').split('src="')[1:] if part.split('"')[0].endswith(('.js', '.css')))
    assert '://' not in page
    for name in names:
        assert 'http' not in ask(server, f'/{name}')[2].decode().replace(
            'http://www.w3.org/2000/svg', '')


def test_documents_are_packed_for_who_takes_it(server):
    _, headers, plain = ask(server, '/data/video-0.json')
    assert 'Content-Encoding' not in headers
    _, headers, packed = ask(server, '/data/video-0.json', Accept_Encoding='gzip, br')
    assert headers['Content-Encoding'] == 'gzip'
    assert len(packed) < len(plain) / 2
    assert json.loads(plain)['name'] == 'reef'


def test_head_sends_no_body(server):
    status, headers, body = ask(server, '/', 'HEAD')
    assert (status, body) == (200, b'')
    assert int(headers['Content-Length']) > 1000


def test_pictures_are_sent_as_they_are_or_as_jpeg(server, made):
    links = json.loads(ask(server, '/data/video-0.json')[2])['images']
    status, headers, body = ask(server, '/' + links[1])
    assert (status, headers['Content-Type']) == (200, 'image/png')
    assert body == (made / 'v0' / '1.png').read_bytes()
    assert 'max-age' in headers['Cache-Control']
    assert ask(server, '/frames/1/0')[1]['Content-Type'] == 'image/jpeg'
    status, headers, body = ask(server, '/frames/2/1')
    assert (status, headers['Content-Type']) == (200, 'image/jpeg')
    assert image(body).shape == (H, W, 3)
    assert abs(image(body).astype(int) - 40).max() <= 2


def test_pictures_that_a_tag_turns_are_turned(tmp_path):
    """Not every browser turns every format; outlines lie on the turned picture."""
    make_dataset(tmp_path)
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = np.zeros((W, H, 3), np.uint8)
    stored[:, :H // 2] = 255
    Image.fromarray(stored).save(tmp_path / 'v0' / '0.png', exif=exif)
    with running(Source(tmp_path / 'annotations.json', tmp_path)) as server:
        _, headers, body = ask(server, '/frames/0/0')
    assert headers['Content-Type'] == 'image/png' and b'eXIf' not in body
    assert image(body).shape == (H, W, 3)
    assert (image(body)[:H // 2] == 255).all() and (image(body)[H // 2:] == 0).all()


def test_a_missing_picture_is_named(server):
    status, headers, body = ask(server, '/frames/0/3')
    assert (status, headers['Content-Type']) == (422, 'text/plain; charset=utf-8')
    assert b'v0/3.png' in body


def test_a_broken_picture_is_named(tmp_path):
    make_dataset(tmp_path)
    (tmp_path / 'v2' / '1.bmp').write_text('no picture')
    with running(Source(tmp_path / 'annotations.json', tmp_path)) as server:
        status, _, body = ask(server, '/frames/2/1')
        assert (status, b'1.bmp: not an image' in body) == (422, True)
        assert ask(server, '/frames/2/2')[0] == 200


@pytest.mark.parametrize('path', [
    '/annotations.json', '/results.json', '/v0/0.png', '/frames', '/frames/', '/frames/0/0.png',
    '/frames/0/99', '/frames/9/0', '/frames/-1/0', '/frames/0/../../../etc/passwd',
    '/../../etc/passwd', '/%2e%2e/%2e%2e/etc/passwd', '//etc/passwd', '/..%2fannotations.json',
    '/data/../server.py', '/data/', '/data/video-7.json', '/data/index.js', '/server.py',
    '/page/main.js', '/main.js/', '/data/video-%D9%A1.json'])
def test_nothing_else_can_be_asked_for(server, path):
    assert ask(server, path)[0] == 404


def test_a_file_name_in_the_annotations_opens_no_other_folder(tmp_path):
    folder = tmp_path / 'data'
    folder.mkdir()
    make_dataset(folder)
    cv2.imwrite(str(tmp_path / 'secret.png'), np.zeros((H, W, 3), np.uint8))
    content = json.loads((folder / 'annotations.json').read_text())
    content['images'][0]['file_name'] = '../secret.png'
    content['images'][1]['file_name'] = str(tmp_path / 'secret.png')
    (folder / 'annotations.json').write_text(json.dumps(content))
    with running(Source(folder / 'annotations.json', folder)) as server:
        assert json.loads(ask(server, '/data/video-0.json')[2])['images'][:2] == [None, None]
        assert [ask(server, f'/frames/0/{t}')[0] for t in range(3)] == [422, 422, 200]


@pytest.mark.parametrize('host, status', [
    ('127.0.0.1:{port}', 200), ('localhost:{port}', 200), ('evil.example', 403), ('', 403),
    ('127.0.0.1.evil.example:{port}', 403)])
def test_other_host_names_are_refused(server, host, status):
    host = host.format(port=server.server_address[1])
    assert ask(server, '/data/index.json', Host=host)[0] == status


@pytest.mark.parametrize('path, host, status', [
    ('http://[', 'localhost', 400), ('/', '[', 403)])
def test_addresses_that_are_none_get_an_answer(server, path, host, status):
    assert ask(server, path, Host=host)[0] == status


def test_only_reading_is_possible(server):
    assert ask(server, '/', 'POST')[0] == 501
    assert ask(server, '/', 'DELETE')[0] == 501


def test_an_error_in_one_video_leaves_the_others_alone(tmp_path):
    make_dataset(tmp_path)
    content = json.loads((tmp_path / 'annotations.json').read_text())
    content['annotations'][0]['category_id'] = 5
    (tmp_path / 'annotations.json').write_text(json.dumps(content))
    with running(Source(tmp_path / 'annotations.json', tmp_path)) as server:
        status, _, body = ask(server, '/data/video-0.json')
        assert (status, b'give each object one category' in body) == (422, True)
        assert ask(server, '/data/video-1.json')[0] == 200


def test_a_thousand_videos_are_listed_without_reading_one(tmp_path, monkeypatch):
    names = tuple(f'a_name_as_long_as_in_sailvos/{number:04d}' for number in range(1000))
    path = tmp_path / 'a.json'
    path.write_text(json.dumps({
        'categories': [{'id': 1, 'name': 'fish'}], 'annotations': [],
        'videos': [{'id': n, 'name': name, 'width': W, 'height': H}
                   for n, name in enumerate(names)],
        'images': [{'id': FRAMES * n + t, 'video_id': n, 'frame_id': t, 'file_name': f'{n}/{t}.png'}
                   for n in range(len(names)) for t in range(FRAMES)]}))
    monkeypatch.setattr(Source, 'video', None)
    with running(Source(path)) as server:
        _, _, body = ask(server, '/data/index.json', Accept_Encoding='gzip')
        assert len(body) < 20_000
        index = json.loads(ask(server, '/data/index.json')[2])
    assert [row[1] for row in index['videos']] == list(names)


def test_memory_holds_few_videos(source):
    with running(source) as server:
        for _ in range(2):
            for video in range(3):
                ask(server, f'/data/video-{video}.json')
        assert server.documents._scene.cache_info().maxsize <= 8
        assert server.documents._scene.cache_info().misses == 3
        assert server.document.cache_info().hits == 3


def test_a_port_that_is_taken(source, server, monkeypatch):
    taken = server.server_address[1]
    with pytest.raises(OSError, match=rf'port {taken} of 127\.0\.0\.1 is taken'):
        BrowseServer(source, port=taken)
    monkeypatch.setattr(server_module, 'DEFAULT_PORT', taken)
    with BrowseServer(source) as other:
        assert taken < other.server_address[1] < taken + 50


@pytest.mark.parametrize('host, port', [
    ('192.0.2.1', 0), ('no host', 0), ('127.0.0.1', 99999)])
def test_addresses_that_cannot_be_listened_on(source, host, port):
    with pytest.raises(OSError, match=f'cannot listen on {host}, port {port}: .*--host'):
        BrowseServer(source, host=host, port=port)
