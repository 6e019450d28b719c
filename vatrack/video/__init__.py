"""Video files, folders of frames and streams: reading and writing, nothing about their content."""
from .backend import VideoError
from .file import VideoInfo, read_video, video_info
from .read_ahead import read_ahead
from .source import DEFAULT_FPS, FrameSource, Source, VideoFrame, open_frames
from .writer import VideoWriter

__all__ = [
    'DEFAULT_FPS', 'FrameSource', 'Source', 'VideoError', 'VideoFrame', 'VideoInfo', 'VideoWriter',
    'open_frames', 'read_ahead', 'read_video', 'video_info'
]
