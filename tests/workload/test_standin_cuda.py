"""The stand-in must be stricter than a device, or what passes on it proves nothing."""

from __future__ import annotations

import pytest
import torch

from tests.workload.standin_cuda import MisuseError, StandInCuda


def test_an_event_is_not_read_before_it_was_synchronised() -> None:
    cuda = StandInCuda()
    begin, end = cuda.Event(enable_timing=True), cuda.Event(enable_timing=True)
    begin.record()
    end.record()
    with pytest.raises(MisuseError, match="before it was synchronised"):
        begin.elapsed_time(end)
    end.synchronize()
    assert begin.elapsed_time(end) >= 0


def test_synchronising_the_first_event_does_not_finish_the_last() -> None:
    cuda = StandInCuda()
    begin, end = cuda.Event(enable_timing=True), cuda.Event(enable_timing=True)
    begin.record()
    begin.synchronize()
    end.record()
    with pytest.raises(MisuseError, match="before it was synchronised"):
        begin.elapsed_time(end)


def test_an_event_without_timing_has_no_time() -> None:
    cuda = StandInCuda()
    begin, end = cuda.Event(), cuda.Event(enable_timing=True)
    begin.record()
    end.record()
    end.synchronize()
    with pytest.raises(MisuseError, match="without timing"):
        begin.elapsed_time(end)


def test_an_event_that_was_never_recorded_is_of_no_use() -> None:
    cuda = StandInCuda()
    event = cuda.Event(enable_timing=True)
    with pytest.raises(MisuseError, match="never recorded"):
        event.synchronize()
    with pytest.raises(MisuseError, match="never recorded"):
        cuda.current_stream().wait_event(event)


def test_a_stream_does_not_read_what_another_writes_without_waiting() -> None:
    cuda = StandInCuda()
    side = cuda.Stream()
    with cuda.watching():
        source = torch.ones(4)
        with cuda.stream(side), pytest.raises(MisuseError, match="did not wait"):
            source.clone()
        side.wait_stream(cuda.current_stream())
        with cuda.stream(side):
            source.clone()


def test_a_stream_does_not_overwrite_what_another_still_reads() -> None:
    cuda = StandInCuda()
    side = cuda.Stream()
    with cuda.watching():
        source, sink = torch.ones(4), torch.empty(4)
        side.wait_stream(cuda.current_stream())
        with cuda.stream(side):
            sink.copy_(source)
        with pytest.raises(MisuseError, match="did not wait"):
            source.zero_()
        cuda.current_stream().wait_stream(side)
        source.zero_()


def test_a_buffer_is_not_freed_while_another_stream_works_on_it() -> None:
    cuda = StandInCuda()
    side = cuda.Stream()

    def free_too_early() -> None:
        with cuda.watching():
            source, sink = torch.ones(4), torch.empty(4)
            side.wait_stream(cuda.current_stream())
            with cuda.stream(side):
                sink.copy_(source)
            del source, sink

    with pytest.raises(MisuseError, match="was freed while"):
        free_too_early()


def test_a_buffer_may_be_freed_once_the_host_has_waited() -> None:
    cuda = StandInCuda()
    side = cuda.Stream()
    with cuda.watching():
        source, sink = torch.ones(4), torch.empty(4)
        side.wait_stream(cuda.current_stream())
        with cuda.stream(side):
            sink.copy_(source)
        cuda.synchronize(0)
        del source, sink


def test_synchronising_one_device_does_not_finish_the_other() -> None:
    cuda = StandInCuda(devices=2)
    begin, end = cuda.Event(enable_timing=True), cuda.Event(enable_timing=True)
    with cuda.device(1):
        begin.record()
        end.record()
    cuda.synchronize(0)
    with pytest.raises(MisuseError, match="before it was synchronised"):
        begin.elapsed_time(end)
