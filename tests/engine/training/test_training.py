"""Training on the context task: labels by brute force, and fields that go to the ring."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from rfstudio.core.errors import Cancelled, RFStudioError
from rfstudio.core.labelled_images import LabelledImages
from rfstudio.core.metrics.rings import ring_mask
from rfstudio.engine.module.initial import Stream
from rfstudio.engine.process.errors import MeasurementError
from rfstudio.engine.process.running import CancelToken
from rfstudio.engine.requests.training_request import TrainingRequest
from rfstudio.engine.training.context_task import ContextTask, with_shortcut
from rfstudio.engine.training.tasks import ClassTask
from rfstudio.engine.training.training import Training
from rfstudio.formats.networks.yaml_reader import read_yaml

SMALL = read_yaml("""\
format: 1
input: {size: [11, 11], channels: 1}
layers:
  - conv: {name: stem, kernel_size: 3, padding: 1, out_channels: 4, bias: false}
  - batch_norm: {}
  - conv: {name: head, kernel_size: 1, out_channels: 2}
""")


REQUEST = TrainingRequest(architecture=SMALL, distance=1.0, steps=60, rate=0.05, film=(0, 60))


def _request(**changes) -> TrainingRequest:
    return replace(REQUEST, **changes)


def test_that_a_label_is_the_sign_of_the_sum_over_the_ring() -> None:
    images, labels = ContextTask(2.0, (7, 8)).batch(3, Stream.TRAINING, 0, 2)
    for n, y, x in np.ndindex(2, 7, 8):
        total = sum(
            float(images[n, 0, v, u])
            for v, u in np.ndindex(7, 8)
            if abs(np.hypot(v - y, u - x) - 2.0) < 0.75
        )
        assert int(labels[n, y, x]) == (total > 0)


def test_that_batches_differ_and_come_again() -> None:
    task = ContextTask(1.0, (5, 5), 2)
    first, again = (task.batch(0, Stream.TRAINING, 4, 3)[0] for _ in range(2))
    assert first.shape == (3, 2, 5, 5)
    assert torch.equal(first, again)
    assert not torch.equal(first, task.batch(0, Stream.TRAINING, 5, 3)[0])
    assert not torch.equal(first, task.batch(0, Stream.TESTING, 4, 3)[0])


def test_that_a_shortcut_is_the_label_in_the_pixel() -> None:
    labels = torch.tensor([[[0, 1]]])
    shown = with_shortcut(torch.zeros(1, 1, 1, 2), labels, 0.5)
    assert shown.tolist() == [[[[-0.5, 0.5]]]]


def test_that_training_finds_labels_and_takes_the_field_to_the_ring() -> None:
    first, last = Training(_request()).frames()
    assert (first.step, last.step) == (0, 60)
    assert first.loss is None
    assert last.accuracy > 0.75 > first.accuracy
    # Of 3×3 pixels the ring of radius 1 has all but the middle, and all of them count the same.
    ring = ring_mask((11, 11), (5, 5), 1.0)
    spreads = [float(np.std(x.map[ring]) / np.mean(x.map[ring])) for x in (first, last)]
    assert spreads[1] < 0.3 < spreads[0]
    assert last.map[5, 5] < 0.02 * last.map.sum()
    assert np.count_nonzero(last.map) == 9


def test_that_the_same_seed_trains_the_same_network() -> None:
    request = _request(steps=3, film=(3,))
    (first,), (again,) = (Training(request).frames() for _ in range(2))
    assert np.array_equal(first.map, again.map)


def test_that_weights_begin_as_the_request_says() -> None:
    found = Training(_request(init="orthogonal:2")).module.state_dict()
    rows = found["stem.weight"].flatten(1)  # 4 rows of 9 taps, of length 1 at gain 1
    assert torch.allclose(rows @ rows.T, 4 * torch.eye(4), atol=1e-5)
    assert not found["head.bias"].any()
    usual = Training(_request()).module.state_dict()
    assert usual["head.bias"].all()
    for name, fan_in in (("stem", 9), ("head", 4)):  # as of torch's Conv2d
        assert usual[f"{name}.weight"].abs().max() <= fan_in**-0.5
    with pytest.raises(RFStudioError, match="did you mean 'orthogonal'"):
        _request(init="orthogonl")


@pytest.mark.slow
def test_that_a_student_learns_from_its_teacher_alone() -> None:
    teacher = Training(_request())
    assert len(list(teacher.frames())) == 2
    student = Training(_request(seed=1, distance=4.0), teacher.module)
    # Its own labels are those of a ring that it cannot see.
    *_, _last = student.frames()
    images, labels = ContextTask(1.0, (11, 11)).batch(7, Stream.TESTING, 0, 16)
    right = (student.module(images).argmax(1) == labels).double().mean()
    assert right > 0.75


def test_that_a_network_without_two_outputs_a_pixel_is_refused() -> None:
    three = read_yaml("""\
format: 1
input: {size: [8, 8], channels: 1}
layers:
  - conv: {name: wide, kernel_size: 2, stride: 2, out_channels: 3}
""")
    with pytest.raises(MeasurementError, match="'wide' has 3 at 4×4 of 8×8"):
        Training(_request(architecture=three))


def test_that_a_cancelled_training_stops() -> None:
    token = CancelToken()
    with pytest.raises(Cancelled):
        for _ in Training(_request()).frames(token, lambda *_: token.cancel()):
            pass


def test_that_a_training_goes_on_as_if_it_had_not_stopped() -> None:
    request = _request(steps=12, film=(0, 6, 12))
    whole = Training(request)
    *_, last = whole.frames()
    token = CancelToken()
    first = Training(request)

    def stop_at_seven(*_) -> None:
        if first.step == 7:
            token.cancel()

    with pytest.raises(Cancelled):
        list(first.frames(token, stop_at_seven))
    second = Training(request)
    second.restore(first.state())
    assert second.step == 7
    (again,) = second.frames()
    assert np.array_equal(last.map, again.map)
    assert again.losses == last.losses
    pairs = zip(whole.module.parameters(), second.module.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_that_the_state_of_another_training_is_refused() -> None:
    state = Training(_request()).state()
    wide = read_yaml(
        "format: 1\ninput: {size: [11, 11], channels: 1}\n"
        "layers: [conv: {kernel_size: 1, out_channels: 2}]"
    )
    with pytest.raises(MeasurementError, match="cannot be read"):
        Training(_request(architecture=wide)).restore(state)
    with pytest.raises(MeasurementError, match="cannot be read"):
        Training(_request()).restore(b"no safetensors")


def test_that_the_field_of_a_hidden_unit_is_its_own() -> None:
    (frame, _) = Training(_request(layer="stem", unit=(2, 8), steps=1, film=(0, 1))).frames()
    seen = np.argwhere(frame.map)
    assert (seen.min(0).tolist(), seen.max(0).tolist()) == ([1, 7], [3, 9])
    # A convolution is linear and the same for all images: the squares of its weights, summed over
    # channels with signs; without bias and norm that is the map itself.
    assert len(seen) == 9


CLASSES = read_yaml("""\
format: 1
input: {size: [6, 6], channels: 3}
layers:
  - conv: {name: stem, kernel_size: 3, padding: 1, out_channels: 4}
  - relu: {}
  - global_avg_pool: {}
  - linear: {name: head, out_features: 2}
""")


def _images(count: int) -> LabelledImages:
    """Return red and blue images in turn."""
    labels = np.arange(count) % 2
    images = [np.zeros((9, 8, 3), np.uint8) for _ in labels]
    for image, label in zip(images, labels, strict=True):
        image[:, :, 2 * label] = 255
    return LabelledImages("colours", ("red", "blue"), images, labels, images[:4], labels[:4])


def test_that_classes_are_learned_from_images() -> None:
    request = TrainingRequest(architecture=CLASSES, steps=40, batch=8, rate=0.05, film=(0, 40))
    first, last = Training(request, data=_images(10)).frames()
    assert last.accuracy == 1.0
    assert last.loss is not None
    assert last.loss < first_loss(last.losses)
    assert first.map.shape == (6, 6)
    assert np.count_nonzero(last.map) == 36


def first_loss(losses: tuple[float, ...]) -> float:
    return losses[0]


def test_that_steps_draw_the_same_images_again() -> None:
    task = ClassTask(_images(10), 3, (6, 6))
    images, labels = task.batch(0, Stream.TRAINING, 5, 4)
    again, _ = ClassTask(_images(10), 3, (6, 6)).batch(0, Stream.TRAINING, 5, 4)
    assert torch.equal(images, again)
    assert (images.shape, labels.shape) == ((4, 3, 6, 6), (4, 1, 1))
    # Red where the label is 0: its first channel is the largest.
    assert (images.mean((2, 3)).argmax(1) == 2 * labels[:, 0, 0]).all()


def test_that_a_network_with_other_outputs_than_classes_is_refused() -> None:
    with pytest.raises(MeasurementError, match="has 2 outputs at 11×11 positions"):
        Training(_request(), data=_images(4))


def test_that_an_estimate_says_what_a_training_takes() -> None:
    found = Training(_request(steps=100)).estimate()
    # 4·9 weights of the stem, 8 of its norm, 8 + 2 of the head.
    assert found.parameters == 54
    assert found.seconds == pytest.approx(
        100 * found.seconds_per_step + 2 * found.seconds_per_frame
    )
    # What a step stores: the images, the map before and after the norm, the outputs, at least.
    assert found.memory > 4 * 16 * 11 * 11 * (1 + 4 + 4)
    assert found.memory < 2e6


def test_that_a_loss_that_is_no_number_ends_a_training_in_words() -> None:
    with pytest.raises(MeasurementError, match="is not a number; train with a smaller rate"):
        list(Training(_request(rate=1e30)).frames())
