from __future__ import annotations

import pytest
from torch._utils import ExceptionWrapper

from vatrack.apis.errors import USER_ERRORS, user_message


@pytest.mark.parametrize('kind', USER_ERRORS)
def test_message_of_an_error_raised_in_a_data_worker(kind):
    """As torch's data loader hands it over: wrapped in a traceback, here with a cause."""
    try:
        try:
            raise OSError('disk: gone')
        except OSError as error:
            raise kind('video a: frame 3: no image; extract it') from error
    except kind:
        wrapped = ExceptionWrapper(where='in DataLoader worker process 0')
    with pytest.raises(kind) as caught:
        wrapped.reraise()
    assert 'Traceback' in str(caught.value)
    assert user_message(caught.value) == 'video a: frame 3: no image; extract it'


@pytest.mark.parametrize('kind', USER_ERRORS)
def test_message_of_any_other_error(kind):
    assert user_message(kind('a: b')) == 'a: b'
