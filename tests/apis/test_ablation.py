from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ablation_fakes import FakeCommands, write_config
from scripts import REPO, load_tool
from tiny_run import tiny_config

from vatrack.apis.ablation import (
    AblationError,
    Study,
    find_configs,
    measured_rows,
    next_step,
    perform_all,
    plan,
    run_logged,
)
from vatrack.apis.config import ConfigError
from vatrack.leaderboard import read_rows

FAILING = 'train a seed0'


@pytest.fixture
def commands() -> FakeCommands:
    return FakeCommands()


@pytest.fixture
def configs(tmp_path: Path) -> list[Path]:
    return [write_config(tmp_path / 'configs' / f'{name}.py') for name in 'ab']


@pytest.fixture
def ablate(tmp_path, configs, commands):
    """Call the command on both configs; gives its exit code and the calls it made."""
    def call(*args: str) -> tuple[int, list[str]]:
        commands.calls.clear()
        code = load_tool('ablate').main(
            [*map(str, configs), '--out', str(tmp_path / 'out'), *args], commands)
        return code, list(commands.calls)
    return call


def test_seeds_come_before_configs(ablate):
    code, calls = ablate('--seeds', '3', '1', '3')
    assert code == 0
    assert calls == ['train a seed3', 'test a seed3', 'train b seed3', 'test b seed3',
                     'train a seed1', 'test a seed1', 'train b seed1', 'test b seed1']


def test_commands(ablate, commands, configs, tmp_path):
    ablate('--cfg-options', 'train_cfg.max_epochs=2', '--protocol', 'ytvis')
    folder = tmp_path / 'out' / 'a' / 'seed0'
    options = ['--cfg-options', 'train_cfg.max_epochs=2', 'randomness.seed=0']
    tools = REPO / 'tools'
    assert commands.commands[:2] == [
        [sys.executable, str(tools / 'train.py'), str(configs[0]), '--work-dir', str(folder),
         *options],
        [sys.executable, str(tools / 'test.py'), str(configs[0]), str(folder / 'epoch_6.pth'),
         '--eval', 'AP', 'vAP', '--protocol', 'ytvis', '--out', str(folder / 'results.json'),
         '--work-dir', str(folder / 'test'), *options]]


def test_every_run_has_a_line_with_progress_and_numbers(ablate, capsys):
    ablate()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith('[1/2] a seed 0: train 0 s, amodal AP 10.0, amodal vAP 10.0')
    assert lines[1].startswith('[2/2] b seed 0: train')
    ablate()
    assert capsys.readouterr().out.startswith('[1/2] a seed 0: done, amodal AP 10.0')


def test_what_is_done_is_not_done_again(ablate):
    ablate()
    assert ablate() == (0, [])
    assert ablate('--seeds', '0', '1')[1] == ['train a seed1', 'test a seed1', 'train b seed1',
                                             'test b seed1']


@pytest.mark.parametrize('args', [('--eval', 'AP'), ('--protocol', 'sailvos')])
def test_other_metrics_or_another_protocol_need_no_training(ablate, args):
    ablate()
    assert ablate(*args) == (0, ['score a seed0', 'score b seed0'])
    assert ablate(*args) == (0, [])


def test_without_results_the_checkpoint_is_tested_again(ablate, tmp_path):
    ablate()
    (tmp_path / 'out/a/seed0/results.json').unlink()
    (tmp_path / 'out/a/seed0/results.metrics.json').unlink()
    assert ablate() == (0, ['test a seed0'])


def test_numbers_do_not_need_their_checkpoint(ablate, tmp_path):
    ablate()
    (tmp_path / 'out/a/seed0/epoch_6.pth').unlink()
    assert ablate() == (0, [])
    (tmp_path / 'out/a/seed0/results.json').unlink()
    assert ablate('--eval', 'AP') == (0, ['train a seed0', 'test a seed0', 'score b seed0'])


def test_interrupted_training_is_resumed(ablate, commands, capsys):
    commands.interrupt = {FAILING}
    assert ablate() == (130, [FAILING])
    assert 'the same command goes on' in capsys.readouterr().err
    commands.interrupt = set()
    assert ablate() == (0, ['resume a seed0', 'test a seed0', 'train b seed0', 'test b seed0'])
    assert '--resume' in commands.commands[1]


def test_interrupted_test_is_started_again(ablate, commands):
    commands.interrupt = {'test a seed0'}
    assert ablate()[0] == 130
    commands.interrupt = set()
    assert ablate() == (0, ['test a seed0', 'train b seed0', 'test b seed0'])


def test_training_that_was_stopped_before_a_checkpoint_starts_anew(ablate, commands):
    commands.fail = {FAILING}
    assert ablate() == (1, [FAILING, 'train b seed0', 'test b seed0'])
    commands.fail = set()
    assert ablate() == (0, [FAILING, 'test a seed0'])


@pytest.mark.parametrize('failing', [FAILING, 'test a seed0'])
def test_a_failed_run_is_shown_and_does_not_stop_the_others(ablate, commands, capsys, tmp_path,
                                                            failing):
    commands.fail = {failing}
    code, calls = ablate()
    assert code == 1 and calls[-2:] == ['train b seed0', 'test b seed0']
    printed, error = capsys.readouterr()
    log = tmp_path / 'out/a/seed0' / f'{failing.split()[0]}.log'
    assert f'FAILED; the end of {log}:\n    line 26\n' in printed
    assert '    error: no such thing\n[2/2]' in printed
    assert error == f'failed: a seed 0, see {log}\n'
    # The numbers of the others are not lost.
    assert '| b |' in printed and '| a |' not in printed


def test_training_that_leaves_no_checkpoint_has_failed(ablate, commands, monkeypatch, capsys):
    monkeypatch.setattr(commands, 'save', lambda *_: None)
    assert ablate() == (1, [FAILING, 'train b seed0'])
    assert 'without a checkpoint' in capsys.readouterr().out


def test_a_changed_config_is_refused_before_anything_runs(ablate, configs, capsys, tmp_path):
    ablate()
    write_config(configs[1], epochs=7)
    for command in [(), ('--dry-run',), ('--seeds', '5', '0')]:
        assert ablate(*command) == (1, [])
        error = capsys.readouterr().err
        assert str(tmp_path / 'out/b/seed0') in error
        assert 'train_cfg.max_epochs 1 instead of 7;' in error and '--redo' in error


@pytest.mark.parametrize(('content', 'reason'), [
    (None, 'was changed since this command was started'), ('model = (', 'cannot be read')])
def test_a_config_that_is_edited_meanwhile_is_not_tested(ablate, commands, configs, monkeypatch,
                                                         capsys, content, reason):
    def edit(folder: Path, iterations: int) -> None:
        FakeCommands.save(folder, iterations)
        if content is None:
            write_config(configs[0], epochs=7)
        else:
            configs[0].write_text(content)

    monkeypatch.setattr(commands, 'save', edit)
    assert ablate() == (1, [FAILING, 'train b seed0', 'test b seed0'])
    assert reason in capsys.readouterr().out
    # It was trained as it was before.
    write_config(configs[0])
    assert ablate() == (0, ['test a seed0'])


def test_changed_options_are_a_changed_config(ablate, capsys):
    ablate()
    assert ablate('--cfg-options', 'train_cfg.max_epochs=9')[0] == 1
    assert 'train_cfg.max_epochs 1 instead of 9' in capsys.readouterr().err
    # What changes nothing is no change.
    assert ablate('--cfg-options', 'train_cfg.max_epochs=1') == (0, [])


def test_redo_trains_changed_configs_only_and_deletes_their_runs(ablate, configs, tmp_path):
    ablate()
    write_config(configs[1], epochs=7)
    left = tmp_path / 'out/b/seed0/epoch_99.pth'
    left.write_text('')
    assert ablate('--redo') == (0, ['train b seed0', 'test b seed0'])
    assert not left.exists()


def test_a_folder_of_something_else_is_refused_even_with_redo(ablate, capsys, tmp_path):
    mine = tmp_path / 'out/a/seed0/thesis.txt'
    mine.parent.mkdir(parents=True)
    mine.write_text('years of work')
    assert ablate('--redo') == (1, [])
    assert f'{mine.parent}: has no run.json' in capsys.readouterr().err
    assert mine.exists()


def test_a_damaged_state_is_refused(ablate, capsys, tmp_path):
    ablate()
    (tmp_path / 'out/a/seed0/run.json').write_text('{')
    assert ablate() == (1, [])
    assert 'run.json: damaged' in capsys.readouterr().err


def test_dry_run_says_what_is_to_be_done(ablate, commands, configs, capsys, tmp_path):
    commands.interrupt = {'train b seed0'}
    ablate()
    capsys.readouterr()
    assert ablate('--dry-run', '--seeds', '0', '1') == (0, [])
    out = tmp_path / 'out'
    assert capsys.readouterr().out.splitlines() == [
        f'[1/4] a seed 0: done, {out}/a/seed0', f'[2/4] b seed 0: resume, {out}/b/seed0',
        f'[3/4] a seed 1: train, {out}/a/seed1', f'[4/4] b seed 1: train, {out}/b/seed1']
    write_config(configs[0], epochs=7)
    assert ablate('--dry-run', '--redo') == (0, [])
    assert '[1/2] a seed 0: redo' in capsys.readouterr().out


def test_without_association_only_images_are_scored(ablate, commands, configs, capsys):
    write_config(configs[1], tracker='NoAssociation')
    assert ablate()[0] == 0
    asked = [command[command.index('--eval') + 1:command.index('--out')]
             for command in commands.commands if '--eval' in command]
    assert asked == [['AP', 'vAP'], ['AP']]
    image, video = capsys.readouterr().out.split('### ')[1:]
    assert '| b | b | measured, sailvos-full, 1 seed [1] | 10.0 |' in image
    assert f'| b | b | measured, sailvos-full, 1 seed [1] |{" - |" * 7}' in video


def test_without_association_there_must_be_a_metric_of_images(ablate, configs, capsys):
    write_config(configs[1], tracker='NoAssociation')
    assert ablate('--eval', 'vAP') == (1, [])
    assert f'{configs[1]}: associates nothing' in capsys.readouterr().err


def test_tables_have_mean_and_spread_and_say_how_they_were_made(ablate, capsys, tmp_path):
    table = tmp_path / 'new' / 'table.md'
    assert ablate('--seeds', '0', '1', '2', '--table', str(table))[0] == 0
    printed, page = capsys.readouterr().out, table.read_text()
    assert page in printed
    # 10, 12 and 14 %: mean 12, sample standard deviation 2.
    assert '| a | a | measured, sailvos-full, 3 seeds [1] | 12.0 ± 2.0 | 13.0 ± 2.0 |' in page
    head = page[:page.index('##')]
    assert f'`python tools/ablate.py {tmp_path}/configs/a.py' in head
    assert f'--seeds 0 1 2 --table {table}`' in head
    assert 'protocol sailvos-full; data data/val.json; seeds 0, 1, 2; 6 iterations; torch ' in head
    assert 'sample standard deviation' in head
    assert page.index('### amodal masks, image level') < page.index('### amodal masks, video level')
    assert '| vAP | 50 | P | H | L | M | S |' in page


def test_tables_show_the_metrics_that_were_asked_for(ablate, results, capsys):
    assert ablate('--eval', 'AP', 'HOTA', '--seeds', '0', '4', '--results', str(results),
                  '--record')[0] == 0
    printed = capsys.readouterr().out
    assert 'amodal AP 10.0, amodal HOTA 50.0\n' in printed
    assert '| system | config | source | HOTA | AssA |\n' in printed
    assert '| a | a | measured, sailvos-full, 2 seeds [1] | 52.0 ± 2.8 | 52.0 ± 2.8 |' in printed
    assert read_rows(results)[-1].values == {'HOTA': 52, 'AssA': 52}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """The published numbers alone."""
    path = tmp_path / 'docs' / 'results.jsonl'
    path.parent.mkdir()
    lines = (REPO / 'docs/results.jsonl').read_text().splitlines(keepends=True)
    path.write_text(''.join(line for line in lines if '"source": "paper"' in line))
    return path


def test_published_numbers_stand_beside_measured_ones(commands, results, tmp_path, capsys):
    config = write_config(tmp_path / 'configs/vatrack/qd_synthetic_lambda-1.5-0.5.py')
    assert load_tool('ablate').main([str(config.parent), '--out', str(tmp_path / 'out'),
                                     '--results', str(results)], commands) == 0
    image = capsys.readouterr().out.split('### ')[1]
    assert image.rstrip().splitlines()[-2:] == [
        '| VATrack (QD), lambda-1.5-0.5 | vatrack/qd_synthetic_lambda-1.5-0.5 | measured, '
        'sailvos-full, 1 seed [1] | 10.0 | 11.0 | 12.0 | 13.0 | 14.0 | 15.0 | 16.0 |',
        '| VATrack (QD), lambda-1.5-0.5 | vatrack/qd_sailvos-cut_lambda-1.5-0.5 | paper: '
        'SAIL-VOS-cut, Table 5 | 18.0 | 28.4 | 29.2 | 20.0 | 40.2 | 28.4 | 11.5 |']


def test_recorded_rows_replace_older_ones(ablate, commands, results):
    before = read_rows(results)
    record = ('--results', str(results), '--record')
    assert ablate(*record)[0] == 0
    rows = read_rows(results)
    assert rows[:len(before)] == before and len(rows) == len(before) + 4
    assert {(row.config, row.level) for row in rows[len(before):]} == {
        (config, level) for config in 'ab' for level in ('image', 'video')}
    assert rows[-1].seeds == (0,) and rows[-1].iterations == 6 and rows[-1].spread is None
    assert '## Measured: data/val.json, protocol sailvos-full' in (
        results.with_suffix('.md').read_text())

    assert ablate(*record, '--seeds', '0', '1')[0] == 0
    again = read_rows(results)
    assert len(again) == len(rows) and again[-1].seeds == (0, 1)
    assert again[-1].values['AP'] == 11 and again[-1].spread['AP'] == pytest.approx(2**.5, abs=1e-3)


def test_nothing_is_recorded_while_runs_are_missing(ablate, commands, results):
    before = results.read_bytes()
    commands.fail = {FAILING}
    assert ablate('--results', str(results), '--record')[0] == 1
    assert results.read_bytes() == before and not results.with_suffix('.md').exists()


def test_unknown_options_and_configs_are_one_line(ablate, configs, capsys):
    assert ablate('--cfg-options', 'train_cfgs.max_epochs=1')[0] == 1
    assert capsys.readouterr().err.startswith('error: --cfg-options train_cfgs.max_epochs')
    configs[0].unlink()
    assert ablate()[0] == 1
    assert 'no such config' in capsys.readouterr().err


def test_configs_of_a_folder_are_those_without_bases(tmp_path):
    inside = [write_config(tmp_path / name) for name in ('b.py', 'a/z.py')]
    write_config(tmp_path / '_base_/models/m.py')
    other = write_config(tmp_path / 'a' / 'c.py')
    assert find_configs([other, tmp_path]) == [other, inside[1], inside[0]]


def test_configs_of_one_name_are_refused(tmp_path):
    for folder in ('x', 'y'):
        write_config(tmp_path / folder / 'same.py')
    with pytest.raises(AblationError, match=r'x/same\.py and .*y/same\.py have one name'):
        find_configs([tmp_path])


@pytest.mark.parametrize(('name', 'error', 'message'), [
    ('empty', AblationError, 'no config in this folder'), ('gone.py', ConfigError, 'no such')])
def test_paths_without_a_config(tmp_path, name, error, message):
    (tmp_path / 'empty').mkdir()
    with pytest.raises(error, match=message):
        find_configs([tmp_path / name])


def test_output_goes_to_the_end_of_the_log(tmp_path):
    log = tmp_path / 'train.log'
    log.write_text('before\n')
    script = 'import sys; print("out", flush=True); print("err", file=sys.stderr); sys.exit(3)'
    assert run_logged([sys.executable, '-c', script], log) == 3
    before, command, *lines = log.read_text().splitlines()
    assert before == 'before' and command.startswith('$ ') and lines == ['out', 'err']


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C raises, also where the tests run in the background and a shell has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures('interruptible')
@pytest.mark.parametrize('stubborn', [False, True])
def test_interruption_waits_for_the_command_but_not_for_ever(tmp_path, stubborn):
    log, pid = tmp_path / 'train.log', tmp_path / 'pid'
    # Ends by itself when its parent was interrupted, as a command in a terminal would; or never.
    script = (f'import os, signal, time; open({str(pid)!r}, "w").write(str(os.getpid()))\n'
              f'os.kill(os.getppid(), signal.SIGINT); time.sleep({1000 if stubborn else 0.4})\n'
              'print("saved", flush=True)')
    with pytest.raises(KeyboardInterrupt):
        run_logged([sys.executable, '-c', script], log, patience=0.2 if stubborn else 60)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
    assert ('saved' in log.read_text().splitlines()) != stubborn
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def tiny_study(root: Path, folder: Path) -> list[str]:
    """Two configs at the size of ``tiny_run``: VATrack, and the same without association."""
    paths = []
    for name in ('vatrack_qd_synthetic', 'maskjoint_none_synthetic'):
        config = tiny_config(root, folder / 'unused')
        if name.startswith('maskjoint'):
            config.model.association.tracker = {'type': 'NoAssociation'}
            config.val_evaluator.metric = ['AP']
        path = folder / 'configs' / f'{name}.py'
        path.parent.mkdir(exist_ok=True)
        config.dump(path)
        paths.append(str(path))
    return [*paths, '--out', str(folder / 'out')]


@pytest.mark.slow
def test_two_true_configs_are_trained_tested_and_tabulated(tiny_data, tmp_path, capsys, results):
    args = [*tiny_study(tiny_data, tmp_path), '--results', str(results), '--record']
    done = subprocess.run([sys.executable, REPO / 'tools/ablate.py', *args], text=True,
                          capture_output=True, check=False, timeout=600,
                          env={**os.environ, 'OMP_NUM_THREADS': '1'})
    assert done.returncode == 0, done.stdout + done.stderr
    folder = tmp_path / 'out/vatrack_qd_synthetic/seed0'
    assert {'train.log', 'test.log', 'run.json', 'results.json'} <= {
        path.name for path in folder.iterdir()}
    metrics = json.loads((folder / 'results.metrics.json').read_text())['metrics']
    rows = {(row.system, row.level, row.kind): row for row in read_rows(results)
            if row.source == 'measured'}
    assert set(rows) == {
        *(('vatrack_qd', level, kind) for level in ('image', 'video')
          for kind in ('amodal', 'visible')),
        *(('maskjoint_none', 'image', kind) for kind in ('amodal', 'visible'))}
    row = rows['vatrack_qd', 'video', 'visible']
    assert row.values['AP'] == round(100 * metrics['visible/video/vAP'], 3)
    assert row.values['H'] == round(100 * metrics['visible/video/vAP50_H'], 3)
    assert row.iterations == 6 and row.dataset == 'synthetic'
    assert row.protocol == 'sailvos-full' and row.data.endswith('/val.json')
    assert done.stdout.count('paper: SAIL-VOS-cut, Table 5, Table 6, README') == 3

    # The same command once more: nothing to do, the same numbers.
    assert load_tool('ablate').main(args, FakeCommands()) == 0
    assert '[2/2] maskjoint_none_synthetic seed 0: done' in capsys.readouterr().out
    study = Study(tmp_path / 'out')
    runs = plan(study, find_configs(args[:2]), [0])
    assert [next_step(run) for run in runs] == ['done', 'done']
    assert perform_all(runs, FakeCommands()) == {}
    assert {row.key: row.values for row in measured_rows(runs, 'x')} == {
        row.key: row.values for row in rows.values()}
