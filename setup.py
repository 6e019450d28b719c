"""Metadata of the package; requirements.txt pins the exact versions that are tested together."""
import ast
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).resolve().parent


def literal(path, name):
    """Value of a constant in a module, read without importing what the module needs."""
    for node in ast.parse((ROOT / path).read_text(encoding='utf-8')).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == name:
            return ast.literal_eval(node.value)
    raise LookupError(f'{path} assigns no {name}')


openmmlab = [f'{name}>={first},<{end}'
             for name, (first, end) in literal('vatrack/versions.py', 'WINDOWS').items()]

setup(
    name='vatrack',
    version=literal('vatrack/__init__.py', '__version__'),
    description='Amodal video instance segmentation as a plugin of MMDetection 3.x',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    classifiers=[
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Topic :: Scientific/Engineering :: Image Recognition',
    ],
    python_requires='>=3.10,<3.13',
    packages=find_packages(include=['vatrack*']),
    package_data={'vatrack.browse': ['page/*']},
    install_requires=[
        'torch>=2.11,<3',
        'torchvision>=0.26,<1',
        *openmmlab,
        'pycocotools>=2.0.11,<3',
        'numpy>=2.2,<2.6',
        'scipy>=1.15,<2',
        'matplotlib>=3.10,<4',
        'opencv-python>=4.11,<6',
        'av>=17,<19',
        'packaging>=22',
        'pillow>=11,<14',
        'tqdm>=4.66,<5',
        'tensorboard>=2.18,<3',
    ],
    extras_require={
        'dev': ['pytest>=8', 'ruff>=0.12', 'trackeval>=1.3,<2', 'motmetrics>=1.4,<2'],
        'docs': ['mkdocs>=1.6,<2', 'mkdocs-material>=9.7,<10', 'mkdocstrings>=1,<2',
                 'mkdocstrings-python>=2,<3'],
    },
)
