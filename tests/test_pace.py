"""The pace of one host, by numbers alone: how it follows what the host bears."""

import time
from email.utils import formatdate

import pytest

from crawler.pace import GIVEN_UP, MAX_RETRY_AFTER, MAX_SLOW, PARKED, Answer, Pace, Tempo, retry_after

GOOD = Answer(0.1)
BUSY = Answer(0.1, "http-503")


def after(pace: Pace, *answers: Answer) -> Tempo:
    """A host that gave these answers, one after another."""
    tempo, now = Tempo(pace), 0.0
    for answer in answers:
        now += 1 + tempo.hear(answer, now, now + 1)
    return tempo


def test_a_host_that_answers_keeps_the_pace_that_was_set() -> None:
    """Good answers change nothing, and leave nothing to be remembered."""
    for delay in (0.0, 1.0):
        tempo = after(Pace(1, delay), *[GOOD] * 20)
        assert (tempo.delay, tempo.slow, tempo.troubles) == (delay, 0.0, 0)


def test_each_trouble_in_a_row_lets_the_host_rest_twice_as_long() -> None:
    """Half a second, one, two … and up to a quarter more by chance; as much less as a host needs less care."""
    for care in (1.0, 0.2):
        tempo, now = Tempo(Pace(1, 0.0, care=care)), 0.0
        for number in range(GIVEN_UP):
            rest = tempo.hear(BUSY, now, now)
            assert 1 <= rest / (0.5 * care * 2**number) <= 1.25 or rest == tempo.delay
            assert tempo.is_parked is (number + 1 >= PARKED)
            assert tempo.is_given_up is (number + 1 >= GIVEN_UP)
            now += rest


def test_a_host_is_given_up_after_minutes_not_seconds() -> None:
    """A network that is gone for 20 seconds costs no host, this very machine included."""
    for care in (1.0, 0.2):
        tempo, now = Tempo(Pace(1, 0.0, care=care)), 0.0
        while not tempo.is_given_up:
            assert now < 600
            given_up_at = now
            now += tempo.hear(BUSY, now, now)
        assert given_up_at > 20


@pytest.mark.parametrize("delay", [0.0, 1.0])
def test_troubles_make_a_host_slower_and_good_answers_make_it_faster_again(delay: float) -> None:
    """The delay doubles with each trouble up to a limit, and halves with each good answer down to what was set."""
    tempo = after(Pace(1, delay), GOOD, BUSY)
    first = tempo.delay
    assert first > delay
    tempo = after(Pace(1, delay), GOOD, BUSY, BUSY)
    assert tempo.delay == 2 * first
    assert after(Pace(1, delay), *[BUSY] * 20).delay == MAX_SLOW
    delays = []
    for now in range(100, 120):
        tempo.hear(GOOD, now, now)
        delays.append(tempo.delay)
    assert delays == sorted(delays, reverse=True)
    assert (delays[0], delays[-1], tempo.slow) == (first, delay, 0.0)


def test_a_good_answer_ends_the_row() -> None:
    """Only troubles in a row park a host."""
    tempo = after(Pace(1, 0.0), *[BUSY, BUSY, BUSY, BUSY, GOOD] * 5)
    assert not tempo.is_parked


def test_what_was_under_way_when_a_trouble_came_is_part_of_it() -> None:
    """Eight requests that fail at once are one trouble, and one that had begun before and ends well does not end it."""
    tempo = Tempo(Pace(8, 0.0))
    for _ in range(8):
        assert tempo.hear(BUSY, 10.0, 11.0) > 0 or tempo.troubles == 1
    assert tempo.troubles == 1
    slow = tempo.slow
    tempo.hear(GOOD, 10.5, 12.0)
    assert (tempo.troubles, tempo.slow) == (1, slow)
    tempo.hear(GOOD, 12.5, 13.0)
    assert tempo.troubles == 0


def test_a_url_that_fails_again_is_no_trouble_of_a_host_that_is_well() -> None:
    """If others were answered well since it failed first, the host rests for a moment, and no longer each time."""
    tempo = Tempo(Pace(1, 0.0))
    tempo.hear(BUSY, 1.0, 2.0)
    tempo.hear(GOOD, 3.0, 4.0)
    for now in range(10, 40):
        assert tempo.hear(BUSY, now, now, failed_at=2.0) == 0.5
    assert tempo.troubles == 0
    tempo.hear(BUSY, 50.0, 51.0)
    tempo.hear(BUSY, 52.0, 53.0, failed_at=51.0)  # nobody was answered since
    assert tempo.troubles == 2


def test_no_answer_through_no_fault_of_the_host_says_nothing() -> None:
    """A certificate that is wrong, say, neither slows a host down nor ends a row of troubles."""
    tempo = after(Pace(1, 0.0), BUSY, BUSY, Answer())
    assert tempo.troubles == 2
    assert after(Pace(1, 0.5), Answer()).delay == 0.5


def test_the_longest_retry_after_counts() -> None:
    """What was asked for stands, whatever other requests that failed with it were told."""
    tempo = Tempo(Pace(2, 0.0))
    tempo.hear(Answer(0.1, "http-429", 60.0), 0.0, 10.0)
    tempo.hear(Answer(0.1, "http-429"), 5.0, 11.0)
    assert tempo.asked_until == 70.0


def test_retry_after_is_kept_at_least() -> None:
    """What the server asks for is kept, and our own doubling where that is longer."""
    assert Tempo(Pace(1, 0.0)).hear(Answer(0.1, "http-429", 7.0), 0.0, 0.0) == 7.0
    assert Tempo(Pace(1, 0.0)).hear(Answer(0.1, "http-429", 0.001), 0.0, 0.0) >= 0.5


def test_a_slow_host_is_asked_less_often() -> None:
    """Where it is to adapt, the delay is at least the time that the host takes to answer, smoothed, up to a limit."""
    assert after(Pace(1, 1.0, adapts=True), Answer(3.0)).delay == 3.0
    assert 1.5 < after(Pace(1, 1.0, adapts=True), Answer(3.0), *[Answer(1.0)] * 3).delay < 3.0
    assert after(Pace(1, 1.0, adapts=True), *[Answer(0.2)] * 3).delay == 1.0
    assert after(Pace(1, 1.0, adapts=True), Answer(500.0)).delay == MAX_SLOW
    assert after(Pace(1, 1.0), Answer(3.0)).delay == 1.0


def test_a_crawl_delay_is_kept_if_it_is_longer() -> None:
    """The longer of what was set and what robots.txt asks for."""
    for own, theirs in ((1.0, 7.0), (7.0, 1.0)):
        tempo = Tempo(Pace(1, own))
        tempo.keep(theirs)
        assert tempo.delay == 7.0


def test_what_an_earlier_run_learnt_is_where_this_one_begins() -> None:
    """A host that had to be slowed down is slow at first, and recovers in the same way."""
    tempo = Tempo(Pace(1, 1.0, slow=8.0))
    assert tempo.delay == 8.0
    assert after(Pace(1, 1.0, slow=8.0), *[GOOD] * 3).delay == 1.0


NOON = "Wed, 25 Nov 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        pytest.param("2", 2.0, id="seconds"),
        pytest.param(" 120 ", 120.0, id="blanks"),
        pytest.param("0", 0.0, id="none"),
        pytest.param("Wed, 25 Nov 2026 12:00:07 GMT", 7.0, id="date"),
        pytest.param("Wednesday, 25-Nov-26 12:00:07 GMT", 7.0, id="date of RFC 850"),
        pytest.param("Wed Nov 25 12:00:07 2026", 7.0, id="date of asctime"),
        pytest.param("Wed, 25 Nov 2026 11:00:00 GMT", 0.0, id="past"),
        pytest.param("Wed, 25 Nov 2099 12:00:00 GMT", MAX_RETRY_AFTER, id="far date"),
        pytest.param("1000000000", MAX_RETRY_AFTER, id="huge"),
        pytest.param("9" * 5000, MAX_RETRY_AFTER, id="beyond numbers"),
        *(pytest.param(junk, 0.0, id=junk or "empty") for junk in
          ("", "-5", "soon", "1.5", "1e3", "٣", "nan", "Wed, 99 Nov 2026 12:00:00 GMT", "Wed, 25 Nov 99999 12:00 GMT")),
    ],
)  # fmt: skip
def test_retry_after(written: str, seconds: float) -> None:
    """Both forms of RFC 9110 §10.2.3; what makes no sense asks for nothing, and an hour is the most that is kept."""
    assert retry_after(written, NOON) == seconds


def test_a_date_is_held_against_the_clock_of_the_server() -> None:
    """By whichever clock it was written; without one, ours has to do."""
    assert retry_after("Sat, 01 Jan 2000 00:00:07 GMT", "Sat, 01 Jan 2000 00:00:00 GMT") == 7.0
    for date in ("", "yesterday"):
        assert 50 < retry_after(formatdate(time.time() + 60, usegmt=True), date) <= 60


def test_of_several_retry_afters_the_longest_counts() -> None:
    """Two headers come as one, with a comma."""
    assert retry_after("3, 4") == 4.0


def test_a_trouble_of_this_machine_is_not_the_host_s() -> None:
    """Who has no file left to open waits a moment, and blames no host for it."""
    tempo = after(Pace(1, 0.0), *[Answer(trouble="connect-error", is_ours=True)] * 20)
    assert (tempo.delay, tempo.slow, tempo.troubles) == (0.0, 0.0, 0)
    assert tempo.hear(Answer(trouble="connect-error", is_ours=True), 0.0, 0.0) == 0.5
